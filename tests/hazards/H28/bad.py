"""Longer names: that is free, but the check of the names is looked up in every customer again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("customer", "name", models.CharField(max_length=200)),
    ]
