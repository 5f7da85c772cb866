"""NOT NULL for a column that is there: every order is read under ACCESS EXCLUSIVE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AlterField("order", "note", models.CharField(max_length=200)),
    ]
