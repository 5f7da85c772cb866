"""Four tables in one transaction: each stays locked until the last is done."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "tag", models.CharField(max_length=20, null=True)),
        migrations.AddField("product", "tag", models.CharField(max_length=20, null=True)),
        migrations.AddField("order", "tag", models.CharField(max_length=20, null=True)),
        migrations.AddField("orderline", "tag", models.CharField(max_length=20, null=True)),
    ]
