"""A table whose key will run out at two thousand million."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Coupon",
            [
                ("id", models.AutoField(primary_key=True)),
                ("text", models.CharField(max_length=20)),
            ],
        ),
    ]
