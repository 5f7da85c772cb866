"""A column that a view reads gets another type, which the server refuses."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "note", models.TextField(null=True)),
    ]
