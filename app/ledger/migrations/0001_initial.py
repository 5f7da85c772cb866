"""Releases, rehearsals, and the migrations that each rehearsal ran."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.CharField(max_length=50, unique=True)),
                ("git_commit", models.CharField(db_index=True, max_length=40)),
                ("created_at", models.DateTimeField()),
            ],
            options={"ordering": ["-created_at"]},
        ),
        migrations.CreateModel(
            name="Rehearsal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identifier", models.CharField(max_length=100, unique=True)),
                ("created_at", models.DateTimeField()),
                ("ingested_at", models.DateTimeField(auto_now_add=True)),
                ("git_commit", models.CharField(blank=True, max_length=40)),
                ("git_branch", models.CharField(blank=True, max_length=255)),
                ("source_kind", models.CharField(max_length=20)),
                ("server_version", models.CharField(max_length=100)),
                (
                    "verdict",
                    models.CharField(choices=[("pass", "pass"), ("warn", "warn"), ("fail", "fail")], max_length=4),
                ),
                ("document", models.JSONField()),
            ],
            options={"ordering": ["-created_at", "-id"]},
        ),
        migrations.CreateModel(
            name="MigrationRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("app_label", models.CharField(blank=True, max_length=100)),
                ("name", models.CharField(blank=True, max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("applied", "applied"), ("failed", "failed"), ("not run", "not run")], max_length=10
                    ),
                ),
                ("started_s", models.FloatField(null=True)),
                ("seconds", models.FloatField()),
                (
                    "rehearsal",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="migrations",
                        to="ledger.rehearsal",
                    ),
                ),
            ],
            options={
                "ordering": ["rehearsal_id", "position"],
                "constraints": [
                    models.UniqueConstraint(fields=("rehearsal", "position"), name="migrationrun_position_once")
                ],
            },
        ),
    ]
