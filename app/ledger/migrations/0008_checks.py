"""Values that the code never writes are refused by the database too."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_rehearsal_release")]

    operations = [
        migrations.AddConstraint(
            "release",
            models.CheckConstraint(
                condition=Q(deployed_at__isnull=True) | Q(deployed_at__gte=F("created_at")),
                name="release_deployed_after_created",
            ),
        ),
        migrations.AddConstraint(
            "rehearsal",
            models.CheckConstraint(condition=Q(verdict__in=["pass", "warn", "fail"]), name="rehearsal_verdict_known"),
        ),
        migrations.AddConstraint(
            "rehearsal",
            models.CheckConstraint(
                condition=Q(read_stall_ms__gte=0) & Q(write_stall_ms__gte=0), name="rehearsal_stalls_not_negative"
            ),
        ),
        migrations.AddConstraint(
            "migrationrun",
            models.CheckConstraint(
                condition=Q(status__in=["applied", "failed", "not run"]), name="migrationrun_status_known"
            ),
        ),
        migrations.AddConstraint(
            "lock", models.CheckConstraint(condition=Q(held_ms__gte=0), name="lock_held_not_negative")
        ),
        migrations.AddConstraint(
            "lock",
            models.CheckConstraint(
                condition=Q(blocks_reads=False) | Q(blocks_writes=True), name="lock_on_reads_is_on_writes"
            ),
        ),
        migrations.AddConstraint(
            "stall",
            models.CheckConstraint(condition=Q(read_ms__gte=0) & Q(write_ms__gte=0), name="stall_not_negative"),
        ),
        migrations.AddConstraint(
            "finding",
            models.CheckConstraint(condition=Q(hazard__regex="^[HCG][0-9]{2}$"), name="finding_hazard_is_an_id"),
        ),
        migrations.AddConstraint(
            "finding",
            models.CheckConstraint(
                condition=Q(severity__in=["note", "warning", "failure"]), name="finding_severity_known"
            ),
        ),
    ]
