"""The index becomes the constraint."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'ALTER TABLE "shop_product"'
                    ' ADD CONSTRAINT "shop_product_sku_key" UNIQUE USING INDEX "shop_product_sku_key"',
                    'ALTER TABLE "shop_product" DROP CONSTRAINT "shop_product_sku_key"',
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    "product", models.UniqueConstraint(fields=["sku"], name="shop_product_sku_key")
                ),
            ],
        ),
    ]
