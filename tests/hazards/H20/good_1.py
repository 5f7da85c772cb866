"""The column without a value, and the default for new rows."""

from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "token", models.UUIDField(null=True)),
        migrations.AlterField("customer", "token", models.UUIDField(null=True, db_default=RandomUUID())),
    ]
