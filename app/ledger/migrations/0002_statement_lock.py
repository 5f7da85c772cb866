"""What each migration did, statement by statement, and the locks that it took."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Statement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("sql", models.TextField()),
                ("started_s", models.FloatField()),
                ("seconds", models.FloatField()),
                ("rows", models.IntegerField(null=True)),
                (
                    "migration",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statements",
                        to="ledger.migrationrun",
                    ),
                ),
            ],
            options={
                "ordering": ["migration_id", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("migration", "position"), name="statement_position_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Lock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=127)),
                ("mode", models.CharField(help_text="as in pg_locks, such as AccessExclusiveLock", max_length=40)),
                ("acquired_s", models.FloatField()),
                ("held_ms", models.FloatField()),
                ("blocks_reads", models.BooleanField()),
                ("blocks_writes", models.BooleanField()),
                (
                    "statement",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="locks", to="ledger.statement"
                    ),
                ),
            ],
            options={"ordering": ["acquired_s", "id"]},
        ),
    ]
