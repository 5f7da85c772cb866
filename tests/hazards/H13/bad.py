"""A foreign key for a column that is there: every order's referrer is looked up, and nobody writes meanwhile."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField(
            "order", "referrer", models.ForeignKey("shop.Customer", models.CASCADE, "+", db_index=False)
        ),
    ]
