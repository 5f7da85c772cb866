"""The old foreign key goes, alone: both tables are locked, for a moment and no longer than two seconds in the queue."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0007_good_6")]
    operations = [
        migrations.RunSQL(
            [
                "SET LOCAL lock_timeout = '2s'",
                'ALTER TABLE "shop_orderline" DROP CONSTRAINT "shop_orderline_product_id_3f3985f6_fk_shop_product_id"',
            ],
            migrations.RunSQL.noop,
        ),
    ]
