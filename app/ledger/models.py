"""The record: releases, and for each rehearsal its migrations, statements, locks, stalls and findings.

Units stand in the names, as in the rehearsal document: `seconds`, `*_ms`, `*_bytes`; `*_s` counts from the moment the
migration was let go. A table's name is `schema.table`, without the schema where that is `public`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.urls import reverse


class Verdict(models.TextChoices):
    PASS = "pass", "pass"
    WARN = "warn", "warn"
    FAIL = "fail", "fail"


class Severity(models.TextChoices):
    NOTE = "note", "note"
    WARNING = "warning", "warning"
    FAILURE = "failure", "failure"


class MigrationStatus(models.TextChoices):
    APPLIED = "applied", "applied"
    FAILED = "failed", "failed"
    NOT_RUN = "not run", "not run"


class Release(models.Model):
    """One image that is, was or will be deployed."""

    class Status(models.TextChoices):
        BUILT = "built", "built"
        DEPLOYED = "deployed", "deployed"
        ROLLED_BACK = "rolled back", "rolled back"

    version = models.CharField(max_length=50, unique=True)
    git_commit = models.CharField(max_length=40, db_index=True)
    image_digest = models.CharField(max_length=71, blank=True, help_text="sha256:… of the image that was pushed")
    status = models.CharField(max_length=20, choices=Status, default=Status.BUILT)
    created_at = models.DateTimeField()
    deployed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(deployed_at__isnull=True) | Q(deployed_at__gte=F("created_at")),
                name="release_deployed_after_created",
            ),
        ]

    def __str__(self) -> str:
        return self.version


class Rehearsal(models.Model):
    """One rehearsal; `document` is all that is known of it, the other columns are what is searched and shown."""

    identifier = models.CharField(max_length=100, unique=True)
    created_at = models.DateTimeField()
    ingested_at = models.DateTimeField(auto_now_add=True)
    release = models.ForeignKey(Release, models.SET_NULL, null=True, blank=True, related_name="rehearsals")
    project = models.CharField(max_length=200, blank=True)
    git_commit = models.CharField(max_length=40, blank=True)
    git_branch = models.CharField(max_length=255, blank=True)
    plan_fingerprint = models.CharField(max_length=64, blank=True)
    source_kind = models.CharField(max_length=20)
    server_version = models.CharField(max_length=100)
    verdict = models.CharField(max_length=4, choices=Verdict)
    seconds = models.FloatField(null=True)
    read_stall_ms = models.FloatField(null=True)
    write_stall_ms = models.FloatField(null=True)
    document = models.JSONField()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="rehearsal_newest_first"),
            models.Index(fields=["git_branch", "-created_at"], name="rehearsal_of_branch"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=["pass", "warn", "fail"]), name="rehearsal_verdict_known"),
            models.CheckConstraint(
                condition=Q(read_stall_ms__gte=0) & Q(write_stall_ms__gte=0), name="rehearsal_stalls_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.identifier

    def get_absolute_url(self) -> str:
        return reverse("ledger:rehearsal", args=[self.identifier])


class MigrationRun(models.Model):
    """One migration of a rehearsal's plan; both names are empty for what ran outside of the migrations."""

    rehearsal = models.ForeignKey(Rehearsal, models.CASCADE, related_name="migrations", db_index=False)
    position = models.PositiveIntegerField()
    app_label = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=255, blank=True)
    atomic = models.BooleanField(default=True)
    status = models.CharField(max_length=10, choices=MigrationStatus)
    started_s = models.FloatField(null=True)
    seconds = models.FloatField()

    class Meta:
        ordering = ["rehearsal_id", "position"]
        indexes = [models.Index(fields=["app_label", "name"], name="migrationrun_by_name")]
        constraints = [
            # its index serves the foreign key too
            models.UniqueConstraint(fields=["rehearsal", "position"], name="migrationrun_position_once"),
            models.CheckConstraint(
                condition=Q(status__in=["applied", "failed", "not run"]), name="migrationrun_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.app_label}.{self.name}" if self.name else "outside of the migrations"

    def get_absolute_url(self) -> str:
        return reverse("ledger:migration", args=[self.rehearsal.identifier, self.position])


class Statement(models.Model):
    """One statement of a migration, every literal of its SQL replaced by `$n`. By far the largest table."""

    migration = models.ForeignKey(MigrationRun, models.CASCADE, related_name="statements", db_index=False)
    position = models.PositiveIntegerField()
    sql = models.TextField()
    calls = models.PositiveIntegerField(default=1)
    operation = models.PositiveIntegerField(null=True)
    transaction = models.PositiveIntegerField(null=True)
    started_s = models.FloatField()
    seconds = models.FloatField()
    rows = models.BigIntegerField(null=True)
    wal_bytes = models.BigIntegerField(null=True)
    sqlstate = models.CharField(max_length=5, blank=True, db_default="")

    class Meta:
        ordering = ["migration_id", "position"]
        indexes = [models.Index(fields=["-seconds"], name="statement_slowest_first")]
        constraints = [
            # its index serves the foreign key too
            models.UniqueConstraint(fields=["migration", "position"], name="statement_position_once"),
        ]

    def __str__(self) -> str:
        return self.sql if len(self.sql) <= 80 else f"{self.sql[:79]}…"


class Lock(models.Model):
    """One lock that a statement took on a table that was there before the rehearsal."""

    statement = models.ForeignKey(Statement, models.CASCADE, related_name="locks")
    table = models.CharField(max_length=127)
    mode = models.CharField(max_length=40, help_text="as in pg_locks, such as AccessExclusiveLock")
    acquired_s = models.FloatField()
    held_ms = models.FloatField()
    blocks_reads = models.BooleanField()
    blocks_writes = models.BooleanField()
    polled = models.BooleanField(default=False, help_text="seen from outside, at intervals: the times are lower bounds")

    class Meta:
        ordering = ["acquired_s", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(held_ms__gte=0), name="lock_held_not_negative"),
            models.CheckConstraint(
                condition=Q(blocks_reads=False) | Q(blocks_writes=True), name="lock_on_reads_is_on_writes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} on {self.table}"


class Stall(models.Model):
    """The longest that one client of a table would have waited."""

    rehearsal = models.ForeignKey(Rehearsal, models.CASCADE, related_name="stalls", db_index=False)
    table = models.CharField(max_length=127)
    read_ms = models.FloatField()
    write_ms = models.FloatField()
    derived = models.BooleanField(help_text="from lock intervals, not felt by a probe")
    rows = models.BigIntegerField(null=True)
    size_bytes = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["-write_ms", "-read_ms", "table"]
        constraints = [
            # its index serves the foreign key too
            models.UniqueConstraint(fields=["rehearsal", "table"], name="stall_table_once"),
            models.CheckConstraint(condition=Q(read_ms__gte=0) & Q(write_ms__gte=0), name="stall_not_negative"),
        ]

    def __str__(self) -> str:
        return self.table


class Finding(models.Model):
    """A hazard that the rehearsal's measurements proved."""

    rehearsal = models.ForeignKey(Rehearsal, models.CASCADE, related_name="findings", db_index=False)
    position = models.PositiveIntegerField()
    hazard = models.CharField(max_length=3)
    name = models.CharField(max_length=100)
    severity = models.CharField(max_length=7, choices=Severity)
    table = models.CharField(max_length=127, blank=True)
    migration = models.CharField(max_length=355, blank=True, help_text="app.name")
    summary = models.TextField(help_text="one sentence with the measured figures")
    advice = models.TextField()
    advice_django = models.TextField(blank=True)

    class Meta:
        ordering = ["rehearsal_id", "position"]
        indexes = [models.Index(fields=["hazard", "severity"], name="finding_by_hazard")]
        constraints = [
            # its index serves the foreign key too
            models.UniqueConstraint(fields=["rehearsal", "position"], name="finding_position_once"),
            models.CheckConstraint(condition=Q(hazard__regex="^[HCG][0-9]{2}$"), name="finding_hazard_is_an_id"),
            models.CheckConstraint(
                condition=Q(severity__in=["note", "warning", "failure"]), name="finding_severity_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hazard} {self.name}"
