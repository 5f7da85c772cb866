"""The code has a new name, the row of django_content_type keeps the old one for now."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.SeparateDatabaseAndState(state_operations=[migrations.RenameModel("Item", "Thing")])]
