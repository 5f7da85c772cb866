"""A NOT NULL column with a default of the database's own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("order", "priority", models.IntegerField(db_default=0)),
    ]
