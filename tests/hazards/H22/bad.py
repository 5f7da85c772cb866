"""A column that is computed and stored: every line is written anew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField(
            "orderline",
            "pieces",
            models.GeneratedField(
                expression=models.F("quantity") * 2, output_field=models.IntegerField(), db_persist=True
            ),
        ),
    ]
