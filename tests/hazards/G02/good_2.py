"""Another column, which follows the first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.AddField("product", "weight", models.IntegerField(null=True)),
    ]
