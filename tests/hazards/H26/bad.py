"""A time becomes a time with a zone while the session is not in UTC: every product is written anew.

With USE_TZ, or with a TIME_ZONE, Django tells the session its zone; here the database's own counts.

settings: USE_TZ, TIME_ZONE = False, None
source: TimeZone = 'Europe/Berlin'
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL(
            'ALTER TABLE "shop_product" ALTER COLUMN "listed" TYPE timestamp with time zone',
            'ALTER TABLE "shop_product" ALTER COLUMN "listed" TYPE timestamp without time zone',
        ),
    ]
