"""A check is added for new rows only, and validated in the same transaction: under the lock of the first."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        AddConstraintNotValid(
            "product", models.CheckConstraint(condition=models.Q(price__gte=0), name="shop_product_price_check")
        ),
        ValidateConstraint("product", "shop_product_price_check"),
    ]
