"""Names become unique while code that writes them twice still runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AlterField("item", "name", models.CharField(max_length=100, unique=True))]
