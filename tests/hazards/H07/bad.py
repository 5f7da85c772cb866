"""The products' indexes are built anew in the ordinary way: nobody writes, or reads through one of them, meanwhile."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL('REINDEX TABLE "shop_product"', migrations.RunSQL.noop),
    ]
