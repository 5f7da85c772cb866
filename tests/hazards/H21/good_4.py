"""The index becomes the constraint."""

from uuid import uuid4

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_good_3")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'ALTER TABLE "shop_customer"'
                    ' ADD CONSTRAINT "shop_customer_token_key" UNIQUE USING INDEX "shop_customer_token_key"',
                    'ALTER TABLE "shop_customer" DROP CONSTRAINT "shop_customer_token_key"',
                ),
            ],
            state_operations=[
                migrations.AlterField("customer", "token", models.UUIDField(default=uuid4, null=True, unique=True)),
            ],
        ),
    ]
