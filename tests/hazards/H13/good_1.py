"""The foreign key, for new rows only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'ALTER TABLE "shop_order" ADD CONSTRAINT "shop_order_referrer_fk" FOREIGN KEY ("referrer_id")'
                    ' REFERENCES "shop_customer" ("id") DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    'ALTER TABLE "shop_order" DROP CONSTRAINT "shop_order_referrer_fk"',
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    "order", "referrer", models.ForeignKey("shop.Customer", models.CASCADE, "+", db_index=False)
                ),
            ],
        ),
    ]
