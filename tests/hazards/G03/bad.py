"""Data is changed through the model of the code, as that is today."""

from django.db import migrations


def shout(apps, schema_editor):
    from shop.models import Order

    Order.objects.filter(pk__lte=100).update(status="SHIPPED")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(shout, migrations.RunPython.noop),
    ]
