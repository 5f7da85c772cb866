"""The lines, then the orders, in batches."""

from django.db import migrations


def delete_in_batches(apps, schema_editor):
    """Ten thousand rows at a time, each batch in its own transaction."""
    for table in ("shop_orderline", "shop_order"):
        for start in range(1, 200_001, 10_000):
            schema_editor.execute(f'DELETE FROM "{table}" WHERE "id" BETWEEN %s AND %s', [start, start + 9_999])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(delete_in_batches, migrations.RunPython.noop),
    ]
