"""Believable rehearsal documents of every kind, for the tests of the views."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from greenroom.rehearsal.document import (
    Advice,
    Blocked,
    Budget,
    Copy,
    Difference,
    Drill,
    DrillStep,
    Evidence,
    Fidelity,
    Finding,
    Frame,
    Git,
    Hint,
    Lock,
    MigrationRun,
    Operation,
    Plan,
    PlannedMigration,
    Rehearsal,
    RehearsalError,
    Rewrite,
    Scan,
    Source,
    Stall,
    Statement,
    StaticHints,
    TableEvidence,
    Totals,
    Twin,
    TwinFile,
    TwinWait,
)

AX, SHARE, SRX = "AccessExclusiveLock", "ShareLock", "ShareRowExclusiveLock"
HOSTILE = '"<script>alert(1)</script>|`&\u202e\x1b[31m'


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
    return _document("pass", runs=[run], stalls=[stall], totals=_totals(0.021, 6.2, 6.2))


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
    document.stalls = [_stall("ledger_statement", [(0.02, 0.65, "rw")], run, rows=1_000_000, octets=182_000_000)]
    document.verdict = "warn"
    document.reasons = [
        "readers of ledger_statement would stand still for 630 ms (budget 1.0 s)",
        "ledger.0010_currency cannot be migrated back",
    ]
    document.findings = [
        _finding("H10", "check-validating", "warning", run, "ledger_statement", AX, 640.0, "AddConstraintNotValid()"),
        _finding("C10", "irreversible", "warning", run, None, AX, 0.0, "migrations.RunPython(forwards, backwards)"),
    ]
    document.totals = _totals(0.74, 630.0, 630.0)
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
        _stall(
            "ledger_statement", [(0.04, 2.62, "w"), (2.69, 7.75, "rw")], foreign, rows=1_000_000, octets=182_000_000
        ),
        _stall("ledger_finding", [(6.61, 7.75, "w")], foreign, derived=True, rows=210_450, octets=41_000_000),
        _stall("ledger_run", [(7.9, 8.6, "row"), (8.7, 9.1, "row")], backfill, rows=84_000, octets=12_900_000),
        _stall("audit.event_archive", [(7.0, 7.012, "rw")], foreign, derived=True, rows=9, octets=16_384),
    ]
    stalls[0].blocked[0].migration = "ledger.0007_statement_run_index"
    document = _document("fail", runs=runs, stalls=stalls, totals=_totals(9.72, 5_060.0, 5_060.0))
    document.reasons = [
        "readers of ledger_statement would stand still for 5.1 s (budget 1.0 s)",
        "writers of ledger_statement would stand still for 5.1 s (budget 2.0 s)",
        "nothing can go back from ledger.0009_backfill_outcome",
    ]
    document.findings = [
        _finding("H24", "type-rewrite", "failure", foreign, "ledger_statement", AX, 5_060.0, TWIN),
        _finding("H01", "index-blocking", "failure", index, "ledger_statement", SHARE, 2_580.0, INDEX_TWIN),
        _finding("H13", "fk-validating", "warning", foreign, "ledger_finding", SRX, 1_140.0, "ValidateConstraint(...)"),
        _finding("C10", "irreversible", "warning", backfill, None, SRX, 0.0, "RunPython(forwards, backwards)"),
        _finding("H44", "lock-queue", "note", index, None, SRX, 0.0, "OPTIONS = {'options': '-c lock_timeout=2s'}"),
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
            _hint("require-concurrent-index-creation", "ledger.0007_statement_run_index", "H01"),
            _hint("changing-column-type", "ledger.0008_statement_duration_bigint", "H24"),
            _hint("ban-drop-constraint", "ledger.0008_statement_duration_bigint"),
        ],
    )
    document.findings[1].static = ["squawk: require-concurrent-index-creation"]
    return document


def broken() -> Rehearsal:
    """A migration that raises half-way."""
    document = failed()
    document.twins = []
    document.migrations = document.migrations[:2]
    last = document.migrations[1]
    last.status, last.statements = "failed", last.statements[:1]
    last.seconds, last.statements[0].sqlstate = 4.0, "23505"
    document.stalls = [
        _stall("ledger_statement", [(0.04, 2.62, "w"), (2.69, 6.66, "rw")], last, rows=1_000_000, octets=182_000_000)
    ]
    document.totals = _totals(6.66, 3_970.0, 3_970.0)
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


def nothing_pending() -> Rehearsal:
    return _document("pass", runs=[], stalls=[], totals=_totals(0.0, 0.0, 0.0))


def monster() -> Rehearsal:
    """5,000 statements, 400 tables, names that want to be markup, and nothing short."""
    tables = [f"{HOSTILE}Straße_{number:03}_{'x' * 30}" for number in range(400)]
    runs = []
    for number in range(100):
        run = MigrationRun(
            app=f"app_{'y' * 20}", name=f"{number:04}_{HOSTILE}", started_s=number * 1.0, seconds=1.0, status="applied"
        )
        run.statements = [
            statement(
                f'ALTER TABLE "{tables[(number * 50 + n) % 400]}" {"ADD COLUMN <b> " * 120}',
                number + n / 50,
                0.02,
                [lock(tables[(number * 50 + n + k) % 400], AX, number + n / 50, 20.0) for k in range(6)],
                rewrites=[Rewrite(table=tables[n], rows=10, size_bytes=10_000)],
                scans=[Scan(table=tables[n], rows=10, lock=AX)],
                transaction=number,
            )
            for n in range(50)
        ]
        runs.append(run)
    stalls = [
        _stall(
            table,
            [(s * 2.5, s * 2.5 + 0.02 * (1 + at % 7), "rw") for s in range(40)],
            runs[at % 100],
            rows=at,
            octets=at * 999,
        )
        for at, table in enumerate(tables)
    ]
    document = _document("fail", runs=runs, stalls=stalls, totals=_totals(100.0, 140.0, 140.0))
    document.reasons = [f"writers of {table} would stand still for 140 ms (budget 5 ms)" for table in tables]
    document.findings = [
        _finding("H01", HOSTILE, "failure", runs[at % 100], table, AX, 140.0, f"{TWIN}\n```\n</code>{HOSTILE}\n" * 20)
        for at, table in enumerate(tables)
    ]
    document.static = StaticHints(version=HOSTILE, note=HOSTILE, hints=[_hint(HOSTILE, HOSTILE) for _ in tables])
    document.findings[0].static = [HOSTILE] * 300
    document.fidelity.notes = [f"{HOSTILE} {'z' * 3000}"] * 50
    document.twins = [
        Twin(
            migration=f"app.{HOSTILE}",
            status="rehearsed",
            reason=HOSTILE * 50,
            left=[HOSTILE * 50] * 50,
            twin_seconds=1.0,
            waits=[TwinWait(table=t, read_ms=140, write_ms=140, twin_read_ms=1, twin_write_ms=1) for t in tables],
            files=[TwinFile(path=f"app/{n}.py", replaces=False, text=f"{HOSTILE}\n" * 500) for n in range(50)],
        )
    ] * 60
    document.fidelity.settings = {f"{table}": HOSTILE * 10 for table in tables}
    document.fidelity.refused = [HOSTILE] * 300
    document.project = HOSTILE
    document.git = Git(commit="0" * 40, branch=f"feature/{HOSTILE}", dirty=True)
    return document


ALL: dict[str, Callable[[], Rehearsal]] = {
    example.__name__: example for example in (passed, warned, failed, hinted, broken, hung, nothing_pending, monster)
}

TWIN = """class Migration(migrations.Migration):
    operations = [
        migrations.AddField("statement", "duration_us_new", models.BigIntegerField(null=True)),
    ]"""

INDEX_TWIN = """from django.contrib.postgres.operations import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    operations = [
        AddIndexConcurrently("statement", models.Index(fields=["run", "started_at"], name="run_started_idx")),
    ]"""


def statement(
    sql: str,
    started_s: float,
    seconds: float,
    locks: list[Lock],
    *,
    rewrites: list[Rewrite] | None = None,
    scans: list[Scan] | None = None,
    wal_bytes: int | None = None,
    transaction: int = 0,
    calls: int = 1,
    rows: int | None = None,
) -> Statement:
    return Statement(
        sql=sql,
        calls=calls,
        operation=0,
        started_s=started_s,
        seconds=seconds,
        longest_seconds=seconds / calls,
        rows=rows,
        locks=locks,
        rewrites=rewrites or [],
        scans=scans or [],
        wal_bytes=wal_bytes,
        transaction=transaction,
    )


def recorded(started_s: float, transaction: int = 0) -> Statement:
    """What Django itself writes at the end of each migration."""
    sql = 'INSERT INTO "django_migrations" ("app", "name", "applied") VALUES ($1, $2, $3) RETURNING "id"'
    done = statement(sql, started_s, 0.0008, [], transaction=transaction, rows=1)
    done.operation = None
    return done


def lock(table: str, mode: str, acquired_s: float, held_ms: float) -> Lock:
    return Lock(
        table=table, mode=mode, acquired_s=acquired_s, held_ms=held_ms, blocks_reads=mode == AX, blocks_writes=True
    )


def _hint(rule: str, migration: str, *merged_with: str) -> Hint:
    return Hint(
        rule=rule,
        level="warning",
        message=f"{rule}: `this` may break clients.",
        migration=migration,
        operation=0,
        statement=0,
        table="ledger_statement",
        merged_with=list(merged_with),
    )


def _stall(
    table: str,
    times: list[tuple[float, float, str]],
    run: MigrationRun,
    *,
    derived: bool = False,
    rows: int,
    octets: int,
) -> Stall:
    """`times` are (from, to, who): r readers, w writers, row writers of changed rows."""
    name = f"{run.app}.{run.name}"
    blocked = [
        Blocked(
            from_s=start,
            to_s=end,
            reads=kind == "r",
            writes=kind != "r",
            migration=name,
            derived=derived,
            rows_only=kind == "row",
        )
        for start, end, who in times
        for kind in (["row"] if who == "row" else list(who))
    ]

    def longest(wanted: Callable[[Blocked], bool]) -> float:
        return max((round((b.to_s - b.from_s) * 1000, 3) for b in blocked if wanted(b)), default=0.0)

    return Stall(
        table=table,
        read_ms=longest(lambda b: b.reads),
        write_ms=longest(lambda b: b.writes),
        row_ms=longest(lambda b: b.rows_only),
        derived=derived,
        rows=rows,
        size_bytes=octets,
        blocked=blocked,
    )


def _finding(
    hazard: str, name: str, severity: str, run: MigrationRun, table: str | None, mode: str, ms: float, code: str
) -> Finding:
    reads = ms if mode == AX else 0.0
    return Finding(
        hazard=hazard,
        name=name,
        severity=severity,  # type: ignore[arg-type]
        table=table,
        migration=f"{run.app}.{run.name}",
        operation=0,
        evidence=Evidence(
            summary=f"{mode} on {table} for {ms / 1000:.1f} s, while 1,000,000 rows were read."
            if table
            else "One operation has no way back.",
            statement=run.statements[0].sql,
            seconds=run.statements[0].seconds,
            tables=[TableEvidence(table=table, mode=mode, held_ms=ms, rows=1_000_000, size_bytes=182_000_000)]
            if table
            else [],
            rows=1_000_000 if table else None,
            size_bytes=182_000_000 if table else None,
            read_ms=reads,
            write_ms=ms,
        ),
        advice=Advice(summary="Give it a way back, or say why there is none.", django=code),
    )


def _document(verdict: str, *, runs: list[MigrationRun], stalls: list[Stall], totals: Totals) -> Rehearsal:
    return Rehearsal(
        id="20261123-204500-7f3a",
        created_at=datetime(2026, 11, 23, 20, 45, tzinfo=UTC),
        greenroom_version="0.1.0",
        git=Git(commit="306c226b5f0d1c9f7f3a0c6a4f9f6c1f0f2a9b1e", branch="feature/durations", dirty=False),
        project="app",
        plan=Plan(
            fingerprint="5f0d1c9f7f3a0c6a4f9f6c1f0f2a9b1e5f0d1c9f7f3a0c6a4f9f6c1f0f2a9b1e",
            migrations=[
                PlannedMigration(
                    app=run.app,
                    name=run.name,
                    atomic=run.atomic,
                    sha256="0" * 64,
                    operations=[
                        Operation(index=0, kind="AlterField", description="Alter field duration_us on statement")
                    ],
                )
                for run in runs
            ],
        ),
        verdict=verdict,  # type: ignore[arg-type]
        budget=Budget(read_ms=1000, write_ms=2000, timeout_seconds=3600),
        source=Source(kind="demo", description="the app at ledger.0006, 1,000,000 statements"),
        copy_=Copy(
            kind="demo",
            method="template",
            name="greenroom__feature-durations_7f3a",
            server="embedded",
            server_version="18.6",
            seconds=6.4,
            size_bytes=412_000_000,
            dropped=True,
        ),
        migrations=runs,
        post_migrate=MigrationRun(app="django", name="post_migrate", status="applied"),
        stalls=stalls,
        fidelity=Fidelity(
            server_version="18.6",
            timezone="UTC",
            extensions={"plpgsql": "1.0", "pg_trgm": "1.6"},
            settings={"maintenance_work_mem": "64MB", "max_parallel_maintenance_workers": "2", "wal_level": "replica"},
            role="greenroom_app",
            python="3.11.2",
            django="5.2.8",
            driver="psycopg 3.3.2",
            lock_timeout="0",
            probed_tables=["ledger_statement", "ledger_run", "ledger_finding", "ledger_release"] if runs else [],
        ),
        totals=totals,
    )


def _totals(seconds: float, read_ms: float, write_ms: float) -> Totals:
    return Totals(
        seconds=seconds,
        read_stall_ms=read_ms,
        write_stall_ms=write_ms,
        wal_bytes=int(seconds * 27_600_000),
        size_delta_bytes=int(seconds * 1_500_000),
        size_peak_bytes=int(seconds * 21_000_000),
    )
