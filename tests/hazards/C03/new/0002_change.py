"""The column changes its name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [migrations.RenameField("item", "note", "remark")]
