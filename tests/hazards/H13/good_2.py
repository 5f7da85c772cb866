"""The foreign key for the rows that are there, while writers go on."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RunSQL(
            'ALTER TABLE "shop_order" VALIDATE CONSTRAINT "shop_order_referrer_fk"', migrations.RunSQL.noop
        ),
    ]
