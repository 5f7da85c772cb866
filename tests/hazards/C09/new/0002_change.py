"""The table keeps its name, the content type does not."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.RenameModel("Item", "Thing")]
