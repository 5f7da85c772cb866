"""The shop as it is before a hazard is tried on it; `tests/hazards/harness.py` fills each table with 200,000 rows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Customer",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=100)),
                ("city", models.CharField(max_length=60, null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=~models.Q(name=""), name="shop_customer_has_name")],
            },
        ),
        migrations.CreateModel(
            "Product",
            [
                ("id", models.AutoField(primary_key=True)),
                ("sku", models.CharField(max_length=20)),
                ("stock", models.IntegerField()),
                ("price", models.DecimalField(max_digits=10, decimal_places=2)),
            ],
            options={"indexes": [models.Index(fields=["sku"], name="shop_product_sku_idx")]},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL('ALTER TABLE "shop_product" ADD COLUMN "listed" timestamp NULL')],
            state_operations=[migrations.AddField("product", "listed", models.DateTimeField(null=True))],
        ),
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
                (
                    "referrer",
                    models.ForeignKey("shop.Customer", models.CASCADE, "+", db_constraint=False, db_index=False),
                ),
                ("status", models.CharField(max_length=20)),
                ("note", models.CharField(max_length=200, null=True)),
            ],
        ),
        migrations.CreateModel(
            "OrderLine",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("order", models.ForeignKey("shop.Order", models.CASCADE)),
                ("product", models.ForeignKey("shop.Product", models.CASCADE)),
                ("quantity", models.IntegerField()),
            ],
        ),
    ]
