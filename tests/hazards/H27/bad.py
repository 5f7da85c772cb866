"""Another collation for an indexed column: the index is built anew under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("product", "sku", models.CharField(max_length=20, db_collation="C")),
    ]
