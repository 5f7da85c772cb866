"""The orders, in a transaction of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_good_2")]
    operations = [
        migrations.AddField("order", "tag", models.CharField(max_length=20, null=True)),
    ]
