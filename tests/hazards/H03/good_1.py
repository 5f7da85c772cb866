"""The column and its foreign key, without an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField(
            "orderline", "gift", models.ForeignKey("shop.Product", models.SET_NULL, "+", null=True, db_index=False)
        ),
    ]
