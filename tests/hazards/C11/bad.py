"""A column goes with its values: going back brings an empty one.

drills: back
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RemoveField("order", "note")]
