"""Numbers for the customers that are there, in batches."""

from django.db import migrations, models


def fill_in_batches(apps, schema_editor):
    """Five thousand rows at a time, each batch in its own transaction."""
    rows = apps.get_model("shop", "Customer").objects
    end = rows.order_by("pk").values_list("pk", flat=True).last() or 0
    for start in range(0, end, 5000):
        rows.filter(pk__gt=start, pk__lte=start + 5000).update(
            number=models.Func(models.Value("shop_customer_number_seq"), function="nextval")
        )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RunPython(fill_in_batches, migrations.RunPython.noop),
    ]
