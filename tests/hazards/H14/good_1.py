"""The table, without a constraint on others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Review",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("product", models.ForeignKey("shop.Product", models.CASCADE, db_constraint=False)),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE, db_constraint=False)),
            ],
        ),
    ]
