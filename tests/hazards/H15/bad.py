"""A foreign key that may be empty from now on: Django drops it and adds it again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "customer", models.ForeignKey("shop.Customer", models.CASCADE, null=True)),
    ]
