"""The customers, in a transaction of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "tag", models.CharField(max_length=20, null=True)),
    ]
