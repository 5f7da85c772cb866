"""Stores a rehearsal document: one transaction, and once however often it is handed in."""

from __future__ import annotations

from typing import Any

from django.db import DataError, IntegrityError, transaction

from ledger import document
from ledger.models import Finding, Lock, MigrationRun, Rehearsal, Release, Stall, Statement

BATCH = 2000


def ingest(text: bytes) -> tuple[Rehearsal, bool]:
    """The rehearsal, and whether it was stored just now. Raises MalformedDocument, with nothing stored."""
    read, whole = document.parse(text)
    try:
        with transaction.atomic():
            rehearsal, created = Rehearsal.objects.get_or_create(identifier=read.id, defaults=columns(read, whole))
            if created:
                store_parts(rehearsal, read)
    except (DataError, IntegrityError) as error:
        raise document.MalformedDocument(f"the database refuses it ({type(error).__name__})") from error
    return rehearsal, created


def columns(read: document.Document, whole: dict[str, Any]) -> dict[str, Any]:
    return {
        "created_at": read.created_at,
        "release": release_of(read.git),
        "project": read.project,
        "git_commit": read.git.commit or "",
        "git_branch": read.git.branch or "",
        "plan_fingerprint": read.plan.fingerprint,
        "source_kind": read.source.kind,
        "server_version": read.copied.server_version,
        "verdict": read.verdict,
        "seconds": read.totals.seconds,
        "read_stall_ms": read.totals.read_stall_ms,
        "write_stall_ms": read.totals.write_stall_ms,
        "document": whole,
    }


def release_of(git: document.Git) -> Release | None:
    """The newest release of exactly the code that was rehearsed."""
    if not git.commit or git.dirty:
        return None
    return Release.objects.filter(git_commit=git.commit).order_by("-created_at").first()


def store_parts(rehearsal: Rehearsal, read: document.Document) -> None:
    stalls = [Stall(rehearsal=rehearsal, **stall.model_dump()) for stall in read.stalls]
    Stall.objects.bulk_create(stalls, batch_size=BATCH)
    Finding.objects.bulk_create(
        [finding_of(rehearsal, position, finding) for position, finding in enumerate(read.findings)], batch_size=BATCH
    )
    runs = [migration_of(rehearsal, position, run) for position, run in enumerate(read.runs)]
    MigrationRun.objects.bulk_create(runs, batch_size=BATCH)
    for stored, run in zip(runs, read.runs, strict=True):
        store_statements(stored, run.statements)


def store_statements(run: MigrationRun, read: list[document.Statement]) -> None:
    statements = [
        Statement(
            migration=run,
            position=position,
            sqlstate=statement.sqlstate or "",
            **statement.model_dump(exclude={"locks", "sqlstate"}),
        )
        for position, statement in enumerate(read)
    ]
    Statement.objects.bulk_create(statements, batch_size=BATCH)
    locks = [
        Lock(statement=stored, **lock.model_dump())
        for stored, statement in zip(statements, read, strict=True)
        for lock in statement.locks
    ]
    Lock.objects.bulk_create(locks, batch_size=BATCH)


def migration_of(rehearsal: Rehearsal, position: int, run: document.MigrationRun) -> MigrationRun:
    named = run.model_dump(exclude={"app", "statements"})
    return MigrationRun(rehearsal=rehearsal, position=position, app_label=run.app, **named)


def finding_of(rehearsal: Rehearsal, position: int, finding: document.Finding) -> Finding:
    return Finding(
        rehearsal=rehearsal,
        position=position,
        hazard=finding.hazard,
        name=finding.name,
        severity=finding.severity,
        table=finding.table or "",
        migration=finding.migration or "",
        summary=finding.evidence.summary,
        advice=finding.advice.summary,
        advice_django=finding.advice.django,
    )
