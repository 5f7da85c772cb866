"""The key's index, and one on each partition, where the whole table lets nobody build one CONCURRENTLY."""

from django.db import migrations

PARTITIONS = ["shop_orderline_a", "shop_orderline_b", "shop_orderline_rest", "shop_orderline_c0", "shop_orderline_c1"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0004_3_rows")]
    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_product_id_new" ON "shop_product" ("id_new")',
            'DROP INDEX CONCURRENTLY "shop_product_id_new"',
        ),
        *(
            migrations.RunSQL(
                f'CREATE INDEX CONCURRENTLY "{partition}_product_id_new" ON "{partition}" ("product_new")',
                migrations.RunSQL.noop,
            )
            for partition in PARTITIONS
        ),
    ]
