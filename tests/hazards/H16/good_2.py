"""The column: now the lines alone are locked."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RemoveField("orderline", "product"),
    ]
