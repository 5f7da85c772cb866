"""What clients would have felt, and the hazards that were proved."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_statement_lock")]

    operations = [
        migrations.CreateModel(
            name="Stall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("table", models.CharField(max_length=127)),
                ("read_ms", models.FloatField()),
                ("write_ms", models.FloatField()),
                ("derived", models.BooleanField(help_text="from lock intervals, not felt by a probe")),
                ("rows", models.BigIntegerField(null=True)),
                ("size_bytes", models.BigIntegerField(null=True)),
                (
                    "rehearsal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stalls",
                        to="ledger.rehearsal",
                    ),
                ),
            ],
            options={
                "ordering": ["-write_ms", "-read_ms", "table"],
                "constraints": [models.UniqueConstraint(fields=("rehearsal", "table"), name="stall_table_once")],
            },
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("hazard", models.CharField(max_length=3)),
                ("name", models.CharField(max_length=100)),
                (
                    "severity",
                    models.CharField(
                        choices=[("note", "note"), ("warning", "warning"), ("failure", "failure")], max_length=7
                    ),
                ),
                ("table", models.CharField(blank=True, max_length=127)),
                ("migration", models.CharField(blank=True, help_text="app.name", max_length=355)),
                ("summary", models.TextField(help_text="one sentence with the measured figures")),
                ("advice", models.TextField()),
                ("advice_django", models.TextField(blank=True)),
                (
                    "rehearsal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="ledger.rehearsal",
                    ),
                ),
            ],
            options={
                "ordering": ["rehearsal_id", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("rehearsal", "position"), name="finding_position_once")
                ],
            },
        ),
    ]
