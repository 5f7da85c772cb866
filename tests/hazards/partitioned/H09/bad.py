"""A unique index with a condition."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "orderline",
            models.UniqueConstraint(fields=["id"], condition=models.Q(quantity__gt=0), name="shop_line_once"),
        ),
    ]
