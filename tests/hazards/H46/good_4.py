"""The lines, in a transaction of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_good_3")]
    operations = [
        migrations.AddField("orderline", "tag", models.CharField(max_length=20, null=True)),
    ]
