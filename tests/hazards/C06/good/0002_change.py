"""Wider is free, and fits what the running code writes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AlterField("item", "name", models.CharField(max_length=200))]
