"""Widening costs nothing, but the way back narrows: it writes the table anew under ACCESS EXCLUSIVE.

drills: back
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.AlterField("order", "note", models.CharField(max_length=300, null=True))]
