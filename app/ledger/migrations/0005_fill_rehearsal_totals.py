"""The rehearsals that were stored before get their totals out of their documents."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def fill_totals(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rehearsals = apps.get_model("ledger", "Rehearsal").objects.using(schema_editor.connection.alias)
    for rehearsal in rehearsals.filter(seconds=None).iterator(chunk_size=500):
        totals = rehearsal.document.get("totals", {})
        rehearsal.project = rehearsal.document.get("project", "")
        rehearsal.plan_fingerprint = rehearsal.document.get("plan", {}).get("fingerprint", "")
        rehearsal.seconds = totals.get("seconds")
        rehearsal.read_stall_ms = totals.get("read_stall_ms")
        rehearsal.write_stall_ms = totals.get("write_stall_ms")
        rehearsal.save()


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_rehearsal_totals")]

    # Backwards there is nothing to do: the columns go, the documents stay.
    operations = [migrations.RunPython(fill_totals, migrations.RunPython.noop)]
