"""Names of their own for those that share one."""

from django.db import migrations, models
from django.db.models.functions import Concat


def tell_apart(apps, schema_editor):
    customers = apps.get_model("shop", "Customer").objects
    shared = customers.values("name").annotate(many=models.Count("pk")).filter(many__gt=1).values("name")
    number = models.functions.Cast("pk", models.CharField())
    customers.filter(name__in=shared).update(name=Concat("name", models.Value(" "), number))


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(tell_apart, migrations.RunPython.noop),
    ]
