"""The unique index, built concurrently."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_product_sku_key" ON "shop_product" ("sku")',
            'DROP INDEX CONCURRENTLY "shop_product_sku_key"',
        ),
    ]
