"""An ordinary column, without values."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("orderline", "pieces", models.IntegerField(null=True)),
    ]
