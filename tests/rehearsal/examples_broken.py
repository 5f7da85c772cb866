"""Rehearsals whose migration did not finish: it raised, or it hung."""

from __future__ import annotations

from greenroom.rehearsal.document import Frame, MigrationRun, Rehearsal, RehearsalError
from tests.rehearsal.example_parts import stall_of, totals_of
from tests.rehearsal.examples_finished import failed


def broken() -> Rehearsal:
    """A migration that raises half-way."""
    document = failed()
    document.twins = []
    document.migrations = document.migrations[:2]
    last = document.migrations[1]
    last.status, last.statements = "failed", last.statements[:1]
    last.seconds, last.statements[0].sqlstate = 4.0, "23505"
    document.stalls = [
        stall_of("ledger_statement", [(0.04, 2.62, "w"), (2.69, 6.66, "rw")], last, rows=1_000_000, octets=182_000_000)
    ]
    document.totals = totals_of(6.66, 3_970.0, 3_970.0)
    document.migrations.append(MigrationRun(app="ledger", name="0009_backfill_outcome", atomic=False, status="not run"))
    document.reasons = ["ledger.0008_statement_duration_bigint failed: UniqueViolation (23505)"]
    document.error = RehearsalError(
        kind="migration failed",
        exception="django.db.utils.IntegrityError",
        sqlstate="23505",
        migration="ledger.0008_statement_duration_bigint",
        statement=last.statements[0].sql,
        operation="0",
        table="ledger_statement",
        constraint="ledger_statement_pkey",
        applied=["ledger.0007_statement_run_index"],
        frames=[
            Frame(file="ledger/migrations/0008_statement_duration_bigint.py", line=17, function="forwards"),
            Frame(file="django/db/backends/utils.py", line=105, function="_execute"),
        ],
        advice="The data has rows that this migration does not expect: look at them on a copy kept with --keep.",
    )
    return document


def hung() -> Rehearsal:
    """A migration that waited for a lock until it was stopped."""
    document = broken()
    document.reasons = ["ledger.0008_statement_duration_bigint was stopped after 4 s"]
    document.error = RehearsalError(
        kind="timeout",
        migration="ledger.0008_statement_duration_bigint",
        statement=document.migrations[1].statements[0].sql,
        applied=["ledger.0007_statement_run_index"],
        waiting_for="AccessExclusiveLock on ledger_statement, held by a session of the app",
        advice="It was stopped after 4 s; --timeout SECONDS allows more.",
    )
    return document
