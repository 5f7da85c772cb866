"""The index goes at once."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [
        migrations.AlterModelOptions("item", {}),
        migrations.RemoveIndex("item", "item_by_name"),
    ]
