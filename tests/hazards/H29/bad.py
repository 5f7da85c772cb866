"""A comment on a column: Django alters the column's type to the same type first, which locks out everybody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "status", models.CharField(max_length=20, db_comment="where it stands")),
    ]
