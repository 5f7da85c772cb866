"""A check that reads every product under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "product", models.CheckConstraint(condition=models.Q(price__gte=0), name="shop_product_price_check")
        ),
    ]
