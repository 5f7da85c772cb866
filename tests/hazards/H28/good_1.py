"""The check is dropped, the names may be longer, and the check is there again, for new rows only."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RemoveConstraint("customer", "shop_customer_has_name"),
        migrations.AlterField("customer", "name", models.CharField(max_length=200)),
        AddConstraintNotValid(
            "customer", models.CheckConstraint(condition=~models.Q(name=""), name="shop_customer_has_name")
        ),
    ]
