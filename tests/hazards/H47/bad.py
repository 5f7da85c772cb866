"""A longer status: nothing is rewritten, but who had prepared a SELECT of the orders gets another type than before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "status", models.CharField(max_length=40)),
    ]
