"""Data is changed, with no way back."""

from django.db import migrations


def shout(apps, schema_editor):
    orders = apps.get_model("shop", "Order").objects
    orders.filter(pk__lte=100).update(status="SHIPPED")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(shout),
    ]
