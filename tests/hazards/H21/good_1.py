"""The column, not unique."""

from uuid import uuid4

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "token", models.UUIDField(default=uuid4, null=True)),
    ]
