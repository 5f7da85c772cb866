"""NULL is forbidden while code that writes it still runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AlterField("item", "note", models.CharField(max_length=100, default=""))]
