"""The check for the rows that are there."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RunSQL(
            'ALTER TABLE "shop_product" VALIDATE CONSTRAINT "shop_product_weight_check"', migrations.RunSQL.noop
        ),
    ]
