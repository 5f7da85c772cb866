"""What may be chosen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [
        migrations.AlterField(
            "item",
            "state",
            models.CharField(
                max_length=10,
                default="here",
                db_default="here",
                choices=[("here", "Here"), ("sold", "Sold"), ("lost", "Lost")],
            ),
        ),
    ]
