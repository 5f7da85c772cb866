"""A column that brings a check along, which reads every product under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("product", "weight", models.PositiveIntegerField(db_default=0)),
    ]
