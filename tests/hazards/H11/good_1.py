"""The column without its check, and the check for new rows only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddField("product", "weight", models.IntegerField(db_default=0)),
                migrations.RunSQL(
                    'ALTER TABLE "shop_product"'
                    ' ADD CONSTRAINT "shop_product_weight_check" CHECK ("weight" >= 0) NOT VALID',
                    'ALTER TABLE "shop_product" DROP CONSTRAINT "shop_product_weight_check"',
                ),
            ],
            state_operations=[migrations.AddField("product", "weight", models.PositiveIntegerField(db_default=0))],
        ),
    ]
