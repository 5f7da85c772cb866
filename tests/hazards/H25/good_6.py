"""The same for the rows that are there, while everybody goes on."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0006_good_5")]
    operations = [
        migrations.RunSQL(
            [
                'ALTER TABLE "shop_product" VALIDATE CONSTRAINT "shop_product_has_id"',
                'ALTER TABLE "shop_orderline" VALIDATE CONSTRAINT "shop_orderline_has_product"',
                'ALTER TABLE "shop_orderline" VALIDATE CONSTRAINT "shop_orderline_product_fk"',
            ],
            migrations.RunSQL.noop,
        ),
    ]
