"""The same index, dropped concurrently."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        RemoveIndexConcurrently("product", "shop_product_sku_idx"),
    ]
