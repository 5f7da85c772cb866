"""A check of every row of every partition."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "orderline", models.CheckConstraint(condition=models.Q(quantity__gte=0), name="shop_line_quantity")
        ),
    ]
