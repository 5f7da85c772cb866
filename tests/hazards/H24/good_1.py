"""A second column of the new type; from now on the code writes both."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("product", "stock_new", models.BigIntegerField(null=True)),
    ]
