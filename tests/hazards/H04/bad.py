"""An index is dropped in the ordinary way: the products are locked against everybody."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RemoveIndex("product", "shop_product_sku_idx"),
    ]
