"""The same, by what has to change in the database and nothing else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'ALTER TABLE "shop_order" ALTER COLUMN "customer_id" DROP NOT NULL',
                    'ALTER TABLE "shop_order" ALTER COLUMN "customer_id" SET NOT NULL',
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    "order", "customer", models.ForeignKey("shop.Customer", models.CASCADE, null=True)
                ),
            ],
        ),
    ]
