"""The lock_timeout is lifted for the index, and nothing else.

settings: DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=2s"}
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "SET lock_timeout = 0"),
        AddIndexConcurrently("order", models.Index(fields=["status"], name="shop_order_status_idx")),
        migrations.RunSQL("RESET lock_timeout", "RESET lock_timeout"),
    ]
