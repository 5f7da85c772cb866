"""Every customer in one transaction: each stays locked for its other writers until the end."""

from django.db import migrations


def fill(apps, schema_editor):
    apps.get_model("shop", "Customer").objects.update(city="Berlin")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
