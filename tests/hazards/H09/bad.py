"""Unique under a condition: that is an index, and nobody writes to the products while it is built."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "product",
            models.UniqueConstraint(fields=["sku"], condition=models.Q(stock__gt=0), name="shop_product_in_stock_key"),
        ),
    ]
