"""Both keys for the rows that are there, while writers go on."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_good_3")]
    operations = [
        migrations.RunSQL(
            [
                'ALTER TABLE "shop_review" VALIDATE CONSTRAINT "shop_review_product_fk"',
                'ALTER TABLE "shop_review" VALIDATE CONSTRAINT "shop_review_customer_fk"',
            ],
            migrations.RunSQL.noop,
        ),
    ]
