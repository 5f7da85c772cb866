"""The foreign key to the customers alone, and no longer than two seconds in the queue for its lock."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_good_2")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
                migrations.RunSQL(
                    'ALTER TABLE "shop_review" ADD CONSTRAINT "shop_review_customer_fk" FOREIGN KEY ("customer_id")'
                    ' REFERENCES "shop_customer" ("id") DEFERRABLE INITIALLY DEFERRED NOT VALID',
                    'ALTER TABLE "shop_review" DROP CONSTRAINT "shop_review_customer_fk"',
                ),
            ],
            state_operations=[
                migrations.AlterField("review", "customer", models.ForeignKey("shop.Customer", models.CASCADE)),
            ],
        ),
    ]
