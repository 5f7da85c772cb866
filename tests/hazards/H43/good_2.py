"""The table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.AddField("orderline", "note", models.CharField(max_length=100, null=True)),
    ]
