"""Observations made by hand, for the tests of the judgement."""

from __future__ import annotations

from greenroom.rehearsal.document import (
    Blocked,
    Budget,
    Left,
    Lock,
    MigrationRun,
    Operation,
    Plan,
    PlannedMigration,
    RehearsalError,
    Rewrite,
    Scan,
    Stall,
    Statement,
    Totals,
)
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.observations import Observations, Relation, Shape

AX, SHARE, SRX, RX = "AccessExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "RowExclusiveLock"
SUX = "ShareUpdateExclusiveLock"
KEY = (
    'ALTER TABLE "shop_order" ADD CONSTRAINT "fk" FOREIGN KEY ("customer_id") REFERENCES "shop_customer" ("id")'
    " DEFERRABLE INITIALLY DEFERRED"
)
BUDGET = Budget(read_ms=1000, write_ms=2000, timeout_seconds=3600)
RELATIONS = {
    "shop_order": Relation(rows=300_000, size_bytes=38_000_000, indexes=["shop_order_pkey"]),
    "shop_customer": Relation(rows=90_000, size_bytes=9_000_000, indexes=["shop_customer_pkey"]),
    "shop_colour": Relation(rows=40, size_bytes=16_384),
    "shop_empty": Relation(rows=0, size_bytes=0),
}


def lock(table: str, mode: str, start: float, ms: float) -> Lock:
    writes = mode in (AX, SHARE, SRX)
    return Lock(table=table, mode=mode, acquired_s=start, held_ms=ms, blocks_reads=mode == AX, blocks_writes=writes)


def statement(
    sql: str,
    start: float,
    seconds: float,
    *locks: Lock,
    scans: tuple[str, ...] = (),
    rewrites: tuple[str, ...] = (),
    operation: int | None = 0,
    transaction: int = 0,
    rows: int | None = None,
    sqlstate: str | None = None,
    rebuilt: tuple[str, ...] = (),
    polled: bool = False,
) -> Statement:
    return Statement(
        sql=sql,
        operation=operation,
        started_s=start,
        seconds=seconds,
        longest_seconds=seconds,
        rows=rows,
        locks=list(locks),
        scans=[Scan(table=table) for table in scans],
        rewrites=[
            *(Rewrite(table=table) for table in rewrites),
            *(Rewrite(table=table, indexes=[f"{table}_pkey"], only_indexes=True) for table in rebuilt),
        ],
        polled=polled,
        transaction=transaction,
        sqlstate=sqlstate,
    )


def operation(index: int, kind: str, description: str = "", **facts: object) -> Operation:
    return Operation.model_validate(
        {"index": index, "kind": kind, "description": description or kind, "table": "shop_order", **facts}
    )


def stall(table: str, start: float, ms: float, *, reads: bool = True, derived: bool = False) -> Stall:
    """One interval in which writers waited, and readers too unless told otherwise."""
    kinds = [(True, False), (False, True)] if reads else [(False, True)]
    blocked = [
        Blocked(from_s=start, to_s=start + ms / 1000, reads=read, writes=write, derived=derived)
        for read, write in kinds
    ]
    return Stall(table=table, read_ms=ms if reads else 0.0, write_ms=ms, derived=derived, blocked=blocked)


def observed(
    operations: list[Operation],
    statements: list[Statement],
    *,
    stalls: list[Stall] | None = None,
    traits: dict[int, set[str]] | None = None,
    lock_timeout_ms: float | None = 2000,
    error: RehearsalError | None = None,
    name: str = "0002_change",
    before: dict[str, Shape] | None = None,
    after: dict[str, Shape] | None = None,
    left: Left | None = None,
) -> Observations:
    """What one migration of the shop did; a lock_timeout is set unless told otherwise."""
    planned = PlannedMigration(app="shop", name=name, atomic=True, sha256="0" * 64, operations=operations)
    run = MigrationRun(
        app="shop", name=name, started_s=0.0, status="failed" if error else "applied", statements=statements
    )
    found = stalls or []
    return Observations(
        plan=Plan(fingerprint="0" * 64, migrations=[planned]),
        migrations=[run],
        stalls=found,
        relations=RELATIONS,
        lock_timeout_ms=lock_timeout_ms,
        traits={(f"shop.{name}", index): frozenset(words) for index, words in (traits or {}).items()},
        error=error,
        totals=Totals(
            seconds=1.0,
            read_stall_ms=max((one.read_ms for one in found), default=0.0),
            write_stall_ms=max((one.write_ms for one in found), default=0.0),
        ),
        before=before or {},
        after=after or {},
        left=left or Left(),
    )


def ids(observations: Observations) -> list[tuple[str, str]]:
    """The hazards that are found, and how severe each is."""
    return [(finding.hazard, finding.severity) for finding in judge(observations, BUDGET)]
