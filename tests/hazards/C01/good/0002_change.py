"""The code forgets the field, the column stays until the next release."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("item", "note")])]
