"""Some seconds of work on one table: a rewrite, an index, a backfill."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bench", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL("ALTER TABLE bench_0 ALTER COLUMN n TYPE bigint"),
        migrations.RunSQL("CREATE INDEX bench_0_n ON bench_0 (n)"),
        migrations.RunSQL("UPDATE bench_1 SET n = n + 1"),
    ]
