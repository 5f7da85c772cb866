"""Every partition is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("orderline", "quantity", models.BigIntegerField()),
    ]
