"""The unique index, built concurrently."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0003_good_2")]
    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_customer_token_key" ON "shop_customer" ("token")',
            'DROP INDEX CONCURRENTLY "shop_customer_token_key"',
        ),
    ]
