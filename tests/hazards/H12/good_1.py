"""The check, for new rows only."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        AddConstraintNotValid(
            "product", models.CheckConstraint(condition=models.Q(price__gte=0), name="shop_product_price_check")
        ),
    ]
