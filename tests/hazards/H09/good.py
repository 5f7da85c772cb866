"""The same index, built concurrently, and the constraint in Django's state."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'CREATE UNIQUE INDEX CONCURRENTLY "shop_product_in_stock_key" ON "shop_product" ("sku")'
                    ' WHERE "stock" > 0',
                    'DROP INDEX CONCURRENTLY "shop_product_in_stock_key"',
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    "product",
                    models.UniqueConstraint(
                        fields=["sku"], condition=models.Q(stock__gt=0), name="shop_product_in_stock_key"
                    ),
                ),
            ],
        ),
    ]
