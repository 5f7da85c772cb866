"""An index with the other collation, built concurrently, for the queries that ask for it; the column stays."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        AddIndexConcurrently("product", models.Index(Collate("sku", "C"), name="shop_product_sku_c_idx")),
    ]
