"""Some customers have the same name, so the build fails, and leaves an invalid index behind."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL(
            'CREATE UNIQUE INDEX CONCURRENTLY "shop_customer_name_key" ON "shop_customer" ("name")',
            'DROP INDEX CONCURRENTLY "shop_customer_name_key"',
        ),
    ]
