"""The model forgets the field, the column stays: a later release drops it, when nobody wants to go back any more.

drills: back
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("order", "note")]),
    ]
