"""Larger keys: the products are written anew, and the lines that refer to them too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("product", "id", models.BigAutoField(primary_key=True)),
    ]
