"""The index, also where an earlier try has left an invalid one behind."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RunSQL(
            'DROP INDEX CONCURRENTLY IF EXISTS "shop_customer_name_key"',
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_customer_name_key" ON "shop_customer" ("name")',
            'DROP INDEX CONCURRENTLY "shop_customer_name_key"',
        ),
    ]
