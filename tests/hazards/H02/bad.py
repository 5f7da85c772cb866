"""A field that is indexed: Django builds a second index for LIKE, and nobody writes meanwhile."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "status", models.CharField(max_length=20, db_index=True)),
    ]
