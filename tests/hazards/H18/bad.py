"""A NOT NULL column without a value for the orders that are there."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("order", "priority", models.IntegerField()),
    ]
