"""Larger keys: the products are written anew, and with them every partition of the lines that refer to them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.AlterField("product", "id", models.BigAutoField(primary_key=True))]
