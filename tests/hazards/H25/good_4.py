"""Their indexes, built concurrently."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0004_good_3")]
    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_product_id_new" ON "shop_product" ("id_new")',
            'DROP INDEX CONCURRENTLY "shop_product_id_new"',
        ),
        migrations.RunSQL(
            'CREATE INDEX CONCURRENTLY "shop_orderline_product_new" ON "shop_orderline" ("product_new")',
            'DROP INDEX CONCURRENTLY "shop_orderline_product_new"',
        ),
    ]
