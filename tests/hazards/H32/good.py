"""A new table that has the constraint from the beginning; batches fill it in the next release."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "NewOrderLine",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("places", BigIntegerRangeField()),
                ("quantity", models.IntegerField()),
            ],
            options={
                "constraints": [
                    ExclusionConstraint(
                        name="shop_neworderline_places", expressions=[("places", RangeOperators.OVERLAPS)]
                    )
                ]
            },
        ),
    ]
