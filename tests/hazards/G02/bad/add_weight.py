"""Of another branch, which follows the same migration: another column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("product", "weight", models.IntegerField(null=True)),
    ]
