"""A foreign key with its index: built under ACCESS EXCLUSIVE on the lines, with the products locked too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("orderline", "gift", models.ForeignKey("shop.Product", models.SET_NULL, "+", null=True)),
    ]
