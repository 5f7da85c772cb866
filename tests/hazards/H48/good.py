"""The views go first, by name, and come back with what there is to read."""

from django.db import migrations

NOTED = 'CREATE VIEW "shop_noted" AS SELECT "id" FROM "shop_order"'
NOTES = 'CREATE VIEW "shop_notes" AS SELECT count(*) AS "notes" FROM "shop_noted"'


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL('DROP VIEW "shop_notes", "shop_noted"', migrations.RunSQL.noop),
        migrations.RemoveField("order", "note"),
        migrations.RunSQL([NOTED, NOTES], ['DROP VIEW "shop_notes", "shop_noted"']),
    ]
