"""A column and its values in one transaction: the customers are locked while all of them are written."""

from django.db import migrations, models


def fill(apps, schema_editor):
    apps.get_model("shop", "Customer").objects.update(country="de")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "country", models.CharField(max_length=2, null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
