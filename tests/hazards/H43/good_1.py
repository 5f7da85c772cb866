"""The data."""

from django.db import migrations


def move(apps, schema_editor):
    lines = apps.get_model("shop", "OrderLine").objects
    lines.filter(pk__lte=1000).update(product=1)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
