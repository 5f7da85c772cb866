"""An index on every partition, built while writers wait for all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddIndex("orderline", models.Index(fields=["quantity"], name="shop_line_quantity_idx")),
    ]
