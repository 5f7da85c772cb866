"""The index, built concurrently."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_good_1")]
    operations = [
        AddIndexConcurrently("orderline", models.Index(fields=["gift"], name="shop_orderline_gift_idx")),
    ]
