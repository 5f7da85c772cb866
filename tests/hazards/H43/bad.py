"""Lines get another product, and the same transaction wants to alter their table."""

from django.db import migrations, models


def move(apps, schema_editor):
    lines = apps.get_model("shop", "OrderLine").objects
    lines.filter(pk__lte=1000).update(product=1)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
        migrations.AddField("orderline", "note", models.CharField(max_length=100, null=True)),
    ]
