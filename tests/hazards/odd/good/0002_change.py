"""A change that harms nobody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.AddField("item", "colour", models.CharField(max_length=9, null=True))]
