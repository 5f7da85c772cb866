"""The validation, in a transaction of its own."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        ValidateConstraint("product", "shop_product_price_check"),
    ]
