"""What the old columns keep to, for new rows only."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_good_4")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.RunSQL(
            [
                'ALTER TABLE "shop_product"'
                ' ADD CONSTRAINT "shop_product_has_id" CHECK ("id_new" IS NOT NULL) NOT VALID',
                'ALTER TABLE "shop_orderline"'
                ' ADD CONSTRAINT "shop_orderline_has_product" CHECK ("product_new" IS NOT NULL) NOT VALID',
                'ALTER TABLE "shop_orderline" ADD CONSTRAINT "shop_orderline_product_fk" FOREIGN KEY ("product_new")'
                ' REFERENCES "shop_product" ("id_new") DEFERRABLE INITIALLY DEFERRED NOT VALID',
            ],
            [
                'ALTER TABLE "shop_orderline" DROP CONSTRAINT "shop_orderline_product_fk"',
                'ALTER TABLE "shop_orderline" DROP CONSTRAINT "shop_orderline_has_product"',
                'ALTER TABLE "shop_product" DROP CONSTRAINT "shop_product_has_id"',
            ],
        ),
    ]
