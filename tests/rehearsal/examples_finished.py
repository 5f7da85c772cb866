"""Rehearsals whose migrations finished: passed, warned of, failed, hinted at, and with nothing to do."""

from __future__ import annotations

from greenroom.rehearsal.document import (
    Blocked,
    Difference,
    Drill,
    DrillStep,
    MigrationRun,
    Rehearsal,
    Rewrite,
    Scan,
    Stall,
    StaticHints,
    Twin,
    TwinFile,
    TwinWait,
)
from tests.rehearsal.example_parts import (
    AX,
    INDEX_TWIN,
    SHARE,
    SRX,
    TWIN,
    document_of,
    finding_of,
    hint_of,
    lock,
    recorded,
    stall_of,
    statement,
    totals_of,
)


def passed() -> Rehearsal:
    """One harmless column."""
    run = MigrationRun(
        app="ledger",
        name="0009_release_note",
        started_s=0.0,
        seconds=0.021,
        status="applied",
        statements=[
            statement(
                'ALTER TABLE "ledger_release" ADD COLUMN "note" varchar(200) DEFAULT $1 NOT NULL',
                0.004,
                0.0031,
                [lock("ledger_release", AX, 0.004, 6.2)],
            ),
            recorded(0.0094),
        ],
    )
    stall = Stall(
        table="ledger_release",
        read_ms=6.2,
        write_ms=6.2,
        derived=True,
        rows=1_204,
        size_bytes=417_792,
        blocked=[
            Blocked(
                from_s=0.004, to_s=0.0102, reads=True, writes=False, migration="ledger.0009_release_note", derived=True
            ),
            Blocked(
                from_s=0.004, to_s=0.0102, reads=False, writes=True, migration="ledger.0009_release_note", derived=True
            ),
        ],
    )
    return document_of("pass", runs=[run], stalls=[stall], totals=totals_of(0.021, 6.2, 6.2))


def warned() -> Rehearsal:
    """A short scan, and a migration that cannot be undone."""
    document = passed()
    run = document.migrations[0]
    run.name, run.seconds = "0010_currency", 0.74
    run.statements = [
        statement(
            'ALTER TABLE "ledger_statement" ADD CONSTRAINT "currency_known" CHECK ("currency" IN ($1, ...))',
            0.01,
            0.61,
            [lock("ledger_statement", AX, 0.01, 640)],
            scans=[Scan(table="ledger_statement", rows=1_000_000, lock=AX)],
        ),
        recorded(0.64),
    ]
    document.stalls = [stall_of("ledger_statement", [(0.02, 0.65, "rw")], run, rows=1_000_000, octets=182_000_000)]
    document.verdict = "warn"
    document.reasons = [
        "readers of ledger_statement would stand still for 630 ms (budget 1.0 s)",
        "ledger.0010_currency cannot be migrated back",
    ]
    document.findings = [
        finding_of("H10", "check-validating", "warning", run, "ledger_statement", AX, 640.0, "AddConstraintNotValid()"),
        finding_of("C10", "irreversible", "warning", run, None, AX, 0.0, "migrations.RunPython(forwards, backwards)"),
    ]
    document.totals = totals_of(0.74, 630.0, 630.0)
    return document


def failed() -> Rehearsal:
    """Three migrations, several tables: an index, a foreign key and a type under locks, and a backfill."""
    index = MigrationRun(app="ledger", name="0007_statement_run_index", started_s=0.02, seconds=2.61, status="applied")
    index.statements = [
        statement(
            'CREATE INDEX "ledger_stat_run_id_6f1d_idx" ON "ledger_statement" ("run_id", "started_at")',
            0.03,
            2.41,
            [lock("ledger_statement", SHARE, 0.03, 2_586)],
            scans=[Scan(table="ledger_statement", rows=374_988, lock=SHARE)],
            wal_bytes=31_400_000,
        ),
        recorded(2.61, transaction=0),
    ]
    foreign = MigrationRun(
        app="ledger", name="0008_statement_duration_bigint", started_s=2.66, seconds=5.1, status="applied"
    )
    foreign.statements = [
        statement(
            'ALTER TABLE "ledger_statement" ALTER COLUMN "duration_us" TYPE bigint USING "duration_us"::bigint',
            2.68,
            3.92,
            [lock("ledger_statement", AX, 2.68, 5_070)],
            rewrites=[
                Rewrite(table="ledger_statement", rows=1_000_000, size_bytes=182_000_000, indexes=["a", "b", "c"])
            ],
            scans=[Scan(table="ledger_statement", rows=1_000_000, lock=AX)],
            wal_bytes=235_700_000,
            transaction=1,
        ),
        statement(
            'ALTER TABLE "ledger_finding" ADD CONSTRAINT "ledger_finding_9a_fk" FOREIGN KEY ("statement_id") '
            'REFERENCES "ledger_statement" ("id") DEFERRABLE INITIALLY DEFERRED',
            6.61,
            1.1,
            [lock("ledger_finding", SRX, 6.61, 1_140), lock("ledger_statement", SRX, 6.61, 1_140)],
            scans=[Scan(table="ledger_finding", rows=210_450, lock=SRX)],
            transaction=1,
        ),
        recorded(7.72, transaction=1),
    ]
    backfill = MigrationRun(
        app="ledger", name="0009_backfill_outcome", atomic=False, started_s=7.8, seconds=1.9, status="applied"
    )
    backfill.statements = [
        statement(
            'UPDATE "ledger_run" SET "outcome" = $1 WHERE "id" IN ($2, ...)', 7.82, 1.7, [], calls=84, rows=84_000
        ),
        recorded(9.68, transaction=3),
    ]
    runs = [index, foreign, backfill]
    stalls = [
        stall_of(
            "ledger_statement", [(0.04, 2.62, "w"), (2.69, 7.75, "rw")], foreign, rows=1_000_000, octets=182_000_000
        ),
        stall_of("ledger_finding", [(6.61, 7.75, "w")], foreign, derived=True, rows=210_450, octets=41_000_000),
        stall_of("ledger_run", [(7.9, 8.6, "row"), (8.7, 9.1, "row")], backfill, rows=84_000, octets=12_900_000),
        stall_of("audit.event_archive", [(7.0, 7.012, "rw")], foreign, derived=True, rows=9, octets=16_384),
    ]
    stalls[0].blocked[0].migration = "ledger.0007_statement_run_index"
    document = document_of("fail", runs=runs, stalls=stalls, totals=totals_of(9.72, 5_060.0, 5_060.0))
    document.reasons = [
        "readers of ledger_statement would stand still for 5.1 s (budget 1.0 s)",
        "writers of ledger_statement would stand still for 5.1 s (budget 2.0 s)",
        "nothing can go back from ledger.0009_backfill_outcome",
    ]
    document.findings = [
        finding_of("H24", "type-rewrite", "failure", foreign, "ledger_statement", AX, 5_060.0, TWIN),
        finding_of("H01", "index-blocking", "failure", index, "ledger_statement", SHARE, 2_580.0, INDEX_TWIN),
        finding_of(
            "H13", "fk-validating", "warning", foreign, "ledger_finding", SRX, 1_140.0, "ValidateConstraint(...)"
        ),
        finding_of("C10", "irreversible", "warning", backfill, None, SRX, 0.0, "RunPython(forwards, backwards)"),
        finding_of("H44", "lock-queue", "note", index, None, SRX, 0.0, "OPTIONS = {'options': '-c lock_timeout=2s'}"),
    ]
    document.findings[0].advice.summary = "Add a second column, write both, fill it in batches, then swap."
    document.findings[
        1
    ].advice.summary = "Build the index with AddIndexConcurrently in a migration with atomic = False."
    document.drills = [
        Drill(
            name="back",
            status="failed",
            reason="ledger.0009_backfill_outcome cannot be taken back: an operation of it has no reverse.",
            seconds=3.2,
            steps=[
                DrillStep(
                    what="ledger.0010_foreign_key taken back", status="passed", detail="nobody waited", seconds=0.04
                ),
                DrillStep(
                    what="ledger.0009_backfill_outcome taken back",
                    status="failed",
                    detail="an operation of it has no reverse",
                ),
            ],
        ),
        Drill(name="lock-queue", status="not run", reason="not asked for"),
    ]
    document.twins = [
        Twin(
            migration="ledger.0007_statement_run_index",
            hazards=["H01"],
            status="rehearsed",
            passes=True,
            reason="The twin passes: the same schema in the end, and nobody waits longer than the budget.",
            seconds=2.61,
            twin_seconds=4.4,
            waits=[
                TwinWait(table="ledger_statement", read_ms=0, write_ms=2_580, twin_read_ms=0, twin_write_ms=4.1),
            ],
            same_schema=True,
            files=[TwinFile(path="ledger/0007_statement_run_index.py", replaces=True, text=INDEX_TWIN)],
        ),
        Twin(
            migration="ledger.0008_statement_duration_bigint",
            hazards=["H24"],
            status="not written",
            reason="H24: what avoids it has to be thought out.",
        ),
    ]
    document.fidelity.refused = ["smtp.example.org:25", "database alias analytics"]
    document.fidelity.differs = [
        Difference(setting="max_parallel_maintenance_workers", copy_value="2", source_value="4"),
        Difference(setting="server_version", copy_value="18.6", source_value="17.4"),
    ]
    document.fidelity.notes = ["The source's cold storage is not copied: first reads there are slower than here."]
    return document


def hinted() -> Rehearsal:
    """The same, with what a linter says of it."""
    document = failed()
    document.static = StaticHints(
        version="2.70.0",
        note="squawk could not read 1 statement",
        hints=[
            hint_of("require-concurrent-index-creation", "ledger.0007_statement_run_index", "H01"),
            hint_of("changing-column-type", "ledger.0008_statement_duration_bigint", "H24"),
            hint_of("ban-drop-constraint", "ledger.0008_statement_duration_bigint"),
        ],
    )
    document.findings[1].static = ["squawk: require-concurrent-index-creation"]
    return document


def nothing_pending() -> Rehearsal:
    return document_of("pass", runs=[], stalls=[], totals=totals_of(0.0, 0.0, 0.0))
