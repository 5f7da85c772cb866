"""An index in the ordinary way: nobody writes to the orders while it is built."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddIndex("order", models.Index(fields=["status"], name="shop_order_status_idx")),
    ]
