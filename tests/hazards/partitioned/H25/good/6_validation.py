"""The same for the rows that are there, while everybody goes on: each partition's lock is given back at once."""

from django.db import migrations

PARTITIONS = ["shop_orderline_a", "shop_orderline_b", "shop_orderline_rest", "shop_orderline_c0", "shop_orderline_c1"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0006_5_rules")]
    operations = [
        migrations.RunSQL(statement, migrations.RunSQL.noop)
        for statement in [
            'ALTER TABLE "shop_product" VALIDATE CONSTRAINT "shop_product_has_id"',
            'ALTER TABLE "shop_orderline" VALIDATE CONSTRAINT "shop_orderline_has_product"',
            *(
                f'ALTER TABLE "{partition}" VALIDATE CONSTRAINT "shop_orderline_product_new"'
                for partition in PARTITIONS
            ),
        ]
    ]
