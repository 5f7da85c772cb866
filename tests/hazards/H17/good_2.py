"""The check for the rows that are there."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        ValidateConstraint("order", "shop_order_note_not_null"),
    ]
