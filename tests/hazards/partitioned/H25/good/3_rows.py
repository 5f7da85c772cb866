"""The rows that are there, in batches."""

from django.db import migrations, models


def fill_in_batches(apps, schema_editor):
    """Five thousand rows at a time, each batch in its own transaction."""
    fill(apps.get_model("shop", "Product").objects, id_new=models.F("id"))
    fill(apps.get_model("shop", "OrderLine").objects, product_new=models.F("product_id"))


def fill(rows, **values):
    end = rows.order_by("pk").values_list("pk", flat=True).last() or 0
    for start in range(0, end, 5000):
        rows.filter(pk__gt=start, pk__lte=start + 5000).update(**values)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0003_2_column")]
    operations = [
        migrations.RunPython(fill_in_batches, migrations.RunPython.noop),
    ]
