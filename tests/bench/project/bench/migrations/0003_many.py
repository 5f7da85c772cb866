"""Two thousand short statements, as a backfill row by row would send them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations

STATEMENTS = 2000


def touch(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        for n in range(1, STATEMENTS + 1):
            cursor.execute("UPDATE bench_2 SET n = n + 1 WHERE id = %s", [n])


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bench", "0002_long")]
    operations: ClassVar = [migrations.RunPython(touch, migrations.RunPython.noop)]
