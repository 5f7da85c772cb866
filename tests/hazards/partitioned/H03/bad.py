"""A foreign key with an index, in the transaction of the column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("orderline", "gift", models.ForeignKey("shop.Product", models.CASCADE, null=True)),
    ]
