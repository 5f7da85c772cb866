"""The whole table's foreign key takes over those of its partitions; the old one goes. Not long in a queue."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0007_6_validation")]
    operations = [
        migrations.RunSQL(
            [
                "SET LOCAL lock_timeout = '2s'",
                'ALTER TABLE "shop_orderline" ADD CONSTRAINT "shop_orderline_product_new" FOREIGN KEY ("product_new")'
                ' REFERENCES "shop_product" ("id_new") DEFERRABLE INITIALLY DEFERRED',
                'ALTER TABLE "shop_orderline" DROP CONSTRAINT "shop_line_product_fk"',
            ],
            migrations.RunSQL.noop,
        ),
    ]
