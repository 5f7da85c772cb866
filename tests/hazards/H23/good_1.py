"""The column without a value, and a sequence that numbers new customers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "number", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            [
                'CREATE SEQUENCE "shop_customer_number_seq" OWNED BY "shop_customer"."number"',
                'ALTER TABLE "shop_customer" ALTER COLUMN "number" SET DEFAULT nextval(\'shop_customer_number_seq\')',
            ],
            'ALTER TABLE "shop_customer" ALTER COLUMN "number" DROP DEFAULT',
        ),
    ]
