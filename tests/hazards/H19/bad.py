"""A column with a default that Django drops again: the release before cannot insert a customer any more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "vip", models.BooleanField(default=False)),
    ]
