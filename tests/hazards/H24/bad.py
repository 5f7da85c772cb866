"""A type that is stored in another way: every product is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("product", "stock", models.BigIntegerField()),
    ]
