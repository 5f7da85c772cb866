"""The same column with a default that stays in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "vip", models.BooleanField(db_default=False)),
    ]
