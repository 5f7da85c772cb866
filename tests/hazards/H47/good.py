"""A second, longer status beside the first: what was prepared before does not ask for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("order", "long_status", models.CharField(max_length=40, null=True)),
    ]
