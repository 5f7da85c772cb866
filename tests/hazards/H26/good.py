"""The same for times that are in UTC, and the session says so: nothing has to be written.

settings: USE_TZ, TIME_ZONE = False, None
source: TimeZone = 'Europe/Berlin'
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET LOCAL TimeZone = 'UTC'", "SET LOCAL TimeZone = 'UTC'"),
        migrations.RunSQL(
            'ALTER TABLE "shop_product" ALTER COLUMN "listed" TYPE timestamp with time zone',
            'ALTER TABLE "shop_product" ALTER COLUMN "listed" TYPE timestamp without time zone',
        ),
    ]
