"""What the example documents are made of: statements, locks, stalls, findings, and a document around them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from greenroom.rehearsal.document import (
    Advice,
    Blocked,
    Budget,
    Copy,
    Evidence,
    Fidelity,
    Finding,
    Git,
    Hint,
    Lock,
    MigrationRun,
    Operation,
    Plan,
    PlannedMigration,
    Rehearsal,
    Rewrite,
    Scan,
    Source,
    Stall,
    Statement,
    TableEvidence,
    Totals,
)

AX, SHARE, SRX = "AccessExclusiveLock", "ShareLock", "ShareRowExclusiveLock"
HOSTILE = '"<script>alert(1)</script>|`&\u202e\x1b[31m'


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


def hint_of(rule: str, migration: str, *merged_with: str) -> Hint:
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


def stall_of(
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


def finding_of(
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


def document_of(verdict: str, *, runs: list[MigrationRun], stalls: list[Stall], totals: Totals) -> Rehearsal:
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


def totals_of(seconds: float, read_ms: float, write_ms: float) -> Totals:
    return Totals(
        seconds=seconds,
        read_stall_ms=read_ms,
        write_stall_ms=write_ms,
        wal_bytes=int(seconds * 27_600_000),
        size_delta_bytes=int(seconds * 1_500_000),
        size_peak_bytes=int(seconds * 21_000_000),
    )
