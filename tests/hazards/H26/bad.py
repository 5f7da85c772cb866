"""A time becomes a time with a zone while the session is not in UTC: every product is written anew.

settings: USE_TZ, TIME_ZONE = False, "Europe/Berlin"
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
