"""Columns for what the list of rehearsals shows, so that it need not open the documents."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_stall_finding")]

    operations = [
        migrations.AddField("rehearsal", "project", models.CharField(blank=True, default="", max_length=200), False),
        migrations.AddField(
            "rehearsal", "plan_fingerprint", models.CharField(blank=True, default="", max_length=64), False
        ),
        migrations.AddField("rehearsal", "seconds", models.FloatField(null=True)),
        migrations.AddField("rehearsal", "read_stall_ms", models.FloatField(null=True)),
        migrations.AddField("rehearsal", "write_stall_ms", models.FloatField(null=True)),
    ]
