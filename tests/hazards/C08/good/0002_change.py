"""The order goes, the index later."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AlterModelOptions("item", {})]
