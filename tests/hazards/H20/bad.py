"""A default that differs from row to row: every customer is written anew."""

from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "token", models.UUIDField(db_default=RandomUUID())),
    ]
