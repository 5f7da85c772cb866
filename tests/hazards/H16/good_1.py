"""The foreign key alone, and no longer than two seconds in the queue for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    [
                        "SET LOCAL lock_timeout = '2s'",
                        'ALTER TABLE "shop_orderline"'
                        ' DROP CONSTRAINT "shop_orderline_product_id_3f3985f6_fk_shop_product_id"',
                    ],
                    migrations.RunSQL.noop,
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    "orderline", "product", models.ForeignKey("shop.Product", models.CASCADE, db_constraint=False)
                ),
            ],
        ),
    ]
