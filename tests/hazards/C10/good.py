"""Data is changed, and can be changed back."""

from django.db import migrations


def shout(apps, schema_editor):
    orders = apps.get_model("shop", "Order").objects
    orders.filter(pk__lte=100).update(status="SHIPPED")


def whisper(apps, schema_editor):
    orders = apps.get_model("shop", "Order").objects
    orders.filter(pk__lte=100).update(status="shipped")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(shout, whisper),
    ]
