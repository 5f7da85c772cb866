"""The same, of types that stay."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.CreateModel(
            "Coupon",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=20)),
            ],
        ),
        migrations.AddField("customer", "extra", models.JSONField(null=True)),
        migrations.AddField("customer", "born", models.DateTimeField(null=True)),
        migrations.AddField("customer", "country", models.CharField(max_length=2, null=True)),
    ]
