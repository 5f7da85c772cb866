"""A foreign key's column is dropped: the products are locked as well as the lines."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RemoveField("orderline", "product"),
    ]
