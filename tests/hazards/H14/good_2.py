"""The foreign key to the products alone, and no longer than two seconds in the queue for its lock."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
                migrations.RunSQL(
                    'ALTER TABLE "shop_review" ADD CONSTRAINT "shop_review_product_fk" FOREIGN KEY ("product_id")'
                    ' REFERENCES "shop_product" ("id") DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    'ALTER TABLE "shop_review" DROP CONSTRAINT "shop_review_product_fk"',
                ),
            ],
            state_operations=[
                migrations.AlterField("review", "product", models.ForeignKey("shop.Product", models.CASCADE)),
            ],
        ),
    ]
