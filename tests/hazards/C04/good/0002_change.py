"""A column that must have a value gets one from the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AddField("item", "colour", models.CharField(max_length=20, db_default="grey"))]
