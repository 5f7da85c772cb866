"""A unique constraint that builds its own index, under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint("product", models.UniqueConstraint(fields=["sku"], name="shop_product_sku_key")),
    ]
