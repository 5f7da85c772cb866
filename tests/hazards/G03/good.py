"""Through the model as this migration knows it."""

from django.db import migrations


def shout(apps, schema_editor):
    apps.get_model("shop", "Order").objects.filter(pk__lte=100).update(status="SHIPPED")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(shout, migrations.RunPython.noop),
    ]
