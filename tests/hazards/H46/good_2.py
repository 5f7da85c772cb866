"""The products, in a transaction of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.AddField("product", "tag", models.CharField(max_length=20, null=True)),
    ]
