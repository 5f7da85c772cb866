"""Eight tables; the bench fills them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

TABLES = [f"bench_{n}" for n in range(8)]


class Migration(migrations.Migration):
    initial = True
    operations: ClassVar = [
        migrations.RunSQL(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, n int NOT NULL, body text NOT NULL)")
        for name in TABLES
    ]
