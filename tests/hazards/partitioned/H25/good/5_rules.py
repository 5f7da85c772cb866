"""What the old columns keep to, for new rows only: checks of the whole table, foreign keys of each partition."""

from django.db import migrations

PARTITIONS = ["shop_orderline_a", "shop_orderline_b", "shop_orderline_rest", "shop_orderline_c0", "shop_orderline_c1"]


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_4_indexes")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.RunSQL(
            'CREATE INDEX "shop_orderline_product_id_new" ON "shop_orderline" ("product_new")',  # takes theirs over
            'DROP INDEX "shop_orderline_product_id_new"',
        ),
        migrations.RunSQL(
            [
                'ALTER TABLE "shop_product"'
                ' ADD CONSTRAINT "shop_product_has_id" CHECK ("id_new" IS NOT NULL) NOT VALID',
                'ALTER TABLE "shop_orderline"'
                ' ADD CONSTRAINT "shop_orderline_has_product" CHECK ("product_new" IS NOT NULL) NOT VALID',
                *(
                    f'ALTER TABLE "{partition}" ADD CONSTRAINT "shop_orderline_product_new" FOREIGN KEY ("product_new")'
                    ' REFERENCES "shop_product" ("id_new") DEFERRABLE INITIALLY DEFERRED NOT VALID'
                    for partition in PARTITIONS
                ),
            ],
            migrations.RunSQL.noop,
        ),
    ]
