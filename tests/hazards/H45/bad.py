"""An index is built concurrently under a lock_timeout, which can end it in the middle."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET lock_timeout = '2s'", migrations.RunSQL.noop),
        AddIndexConcurrently("order", models.Index(fields=["status"], name="shop_order_status_idx")),
    ]
