"""A unique constraint, whose indexes are built under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddConstraint(
            "orderline", models.UniqueConstraint(fields=["id", "quantity"], name="shop_line_once")
        ),
    ]
