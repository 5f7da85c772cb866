"""The check for the rows that are there, while everybody goes on."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        ValidateConstraint("customer", "shop_customer_has_name"),
    ]
