"""Lines of six pieces must not overlap: the index is built, and compared with itself, while nobody reads or writes."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import migrations
from django.db.models import F, Func, Q

PLACES = Func(F("id"), F("id") + 1, function="int8range", output_field=BigIntegerRangeField())


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "orderline",
            ExclusionConstraint(
                name="shop_orderline_places",
                expressions=[(PLACES, RangeOperators.OVERLAPS)],
                condition=Q(quantity=6),
            ),
        ),
    ]
