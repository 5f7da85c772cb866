"""The same, concurrently."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL('REINDEX TABLE CONCURRENTLY "shop_product"', migrations.RunSQL.noop),
    ]
