"""Findings of what RunSQL does: maintenance, partitions, triggers, types, and constraints that stand on an index."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Lock, RehearsalError
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.observations import Observations, Relation
from tests.rehearsal.observed import AX, BUDGET, RX, SHARE, SRX, lock, observed, operation, statement

SQL = operation(0, "RunSQL", "Raw SQL operation", table=None)
CONCURRENT = 'ALTER TABLE "shop_order" DETACH PARTITION "shop_order_1" CONCURRENTLY'
TRIGGER = 'CREATE TRIGGER "g" BEFORE UPDATE ON "{0}" FOR EACH ROW EXECUTE FUNCTION "f"()'
POLICY = 'CREATE POLICY "p" ON "{0}" USING (true)'
EXCLUDE = 'ALTER TABLE "{0}" ADD CONSTRAINT "x" EXCLUDE USING gist ("a" WITH =)'
KEY = 'ALTER TABLE "{0}" ADD CONSTRAINT "k" PRIMARY KEY USING INDEX "i"'
DOMAIN = 'ALTER DOMAIN "amount" ADD CONSTRAINT "c" CHECK (VALUE > $1)'
ATTACH = 'ALTER TABLE "shop_order" ATTACH PARTITION "{0}" FOR VALUES FROM ($1) TO ($2)'


def told(observations: Observations) -> list[tuple[str, str, str | None, str]]:
    found = judge(observations, BUDGET)
    return [(one.hazard, one.severity, one.table, one.evidence.summary.partition(";")[0]) for one in found]


def ids(observations: Observations) -> list[tuple[str, str, str | None]]:
    return [finding[:3] for finding in told(observations)]


def seen(sql: str, table: str, mode: str, ms: float, work: str = "") -> Observations:
    """One statement of RunSQL under one lock; `work` is `scan` or `rewrite` of the table, or nothing."""
    scans, rewrites = ((table,) if work == kind else () for kind in ("scan", "rewrite"))
    step = statement(sql, 0.0, ms / 1000, lock(table, mode, 0.0, ms), scans=scans, rewrites=rewrites)
    return observed([SQL], [step])


@pytest.mark.parametrize(
    ("sql", "mode", "work", "hazard"),
    [
        ("CLUSTER", AX, "rewrite", "H30"),
        ('VACUUM (FULL) "{0}"', AX, "rewrite", "H30"),
        ('ALTER TABLE "{0}" SET UNLOGGED', AX, "rewrite", "H30"),
        ('REFRESH MATERIALIZED VIEW "{0}"', AX, "rewrite", "H31"),
        (EXCLUDE, AX, "scan", "H32"),
        (KEY, AX, "scan", "H33"),
        (DOMAIN, SHARE, "scan", "H34"),
        (ATTACH, AX, "scan", "H36"),
        ('TRUNCATE "{0}"', AX, "rewrite", "H40"),
    ],
)
def test_work_under_a_lock_is_found_and_text_alone_is_not(sql: str, mode: str, work: str, hazard: str) -> None:
    """A statement that did no work, and the same work on an empty table, are no hazard."""

    def of(table: str, ms: float, work: str) -> list[tuple[str, str, str | None]]:
        return ids(seen(sql.format(table), table, mode, ms, work))

    assert of("shop_customer", 2500, work) == [(hazard, "failure", "shop_customer")]
    assert of("shop_colour", 1, work) == [(hazard, "note", "shop_colour")]
    assert of("shop_customer", 2500, "") == []
    assert of("shop_empty", 1, work) == []


@pytest.mark.parametrize(
    ("sql", "mode", "hazard"),
    [
        ('ALTER TABLE "{0}" DETACH PARTITION "p"', AX, "H37"),
        ('CREATE TABLE "p" PARTITION OF "{0}" DEFAULT', AX, "H37"),
        (TRIGGER, SRX, "H38"),
        ('ALTER TABLE "{0}" DISABLE TRIGGER ALL', SRX, "H38"),
        (POLICY, AX, "H39"),
        ('ALTER TABLE "{0}" ENABLE ROW LEVEL SECURITY', AX, "H39"),
    ],
)
def test_lock_itself_is_found_on_tables_with_rows(sql: str, mode: str, hazard: str) -> None:
    def of(table: str, ms: float) -> list[tuple[str, str, str | None]]:
        return [finding for finding in ids(unbounded(sql.format(table), table, mode, ms)) if finding[0] != "H44"]

    assert of("shop_order", 2500) == [(hazard, "failure", "shop_order")]
    assert of("shop_order", 3) == [(hazard, "note", "shop_order")]
    assert of("shop_empty", 3) == []


def unbounded(sql: str, table: str, mode: str, ms: float) -> Observations:
    observations = seen(sql, table, mode, ms)
    observations.lock_timeout_ms = None
    return observations


@pytest.mark.parametrize("sql", [TRIGGER, POLICY])
def test_trigger_and_policy_are_let_through_alone_and_bounded(sql: str) -> None:
    alone = statement(sql.format("shop_order"), 0.0, 0.001, lock("shop_order", SRX, 0.0, 40))
    write = statement('UPDATE "shop_order" SET "a" = $1', 0.001, 0.03, lock("shop_order", RX, 0.001, 39), rows=9)
    assert ids(observed([SQL], [alone])) == []
    assert [hazard for hazard, _, _ in ids(observed([SQL], [alone, write]))] == ["H38" if sql == TRIGGER else "H39"]


def test_what_runs_concurrently_is_let_through() -> None:
    assert ids(seen(CONCURRENT, "shop_order", AX, 3)) == []
    refresh = 'REFRESH MATERIALIZED VIEW CONCURRENTLY "shop_order"'
    assert ids(seen(refresh, "shop_order", "ExclusiveLock", 2500, "scan")) == []


def test_truncate_names_all_that_it_emptied() -> None:
    locks = [lock(table, AX, 0.0, 9) for table in ("shop_customer", "shop_order", "shop_empty")]
    tables = ("shop_customer", "shop_order", "shop_empty")
    cascade = statement('TRUNCATE "shop_order" CASCADE', 0.0, 0.004, *locks, rewrites=tables)
    [finding] = judge(observed([SQL], [cascade]), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.evidence.rows) == (
        "H40",
        "note",
        "shop_order",
        390_000,
    )
    assert finding.evidence.summary == (
        "TRUNCATE took 390,000 rows out of shop_order, shop_customer in 4.0 ms; held: ACCESS EXCLUSIVE on "
        "shop_customer for 9.0 ms, ACCESS EXCLUSIVE on shop_order for 9.0 ms, ACCESS EXCLUSIVE on shop_empty for "
        "9.0 ms; readers waited up to 9.0 ms, writers waited up to 9.0 ms."
    )
    assert 'apps.get_model("shop", "order")' in finding.advice.django


def test_materialized_view_that_nobody_can_write_stops_readers_alone() -> None:
    taken = Lock(table="sold", mode=AX, acquired_s=0.0, held_ms=1500, blocks_reads=True, blocks_writes=False)
    refresh = statement('REFRESH MATERIALIZED VIEW "sold"', 0.0, 1.4, taken, rewrites=("sold",))
    observations = observed([SQL], [refresh])
    observations.relations = {"sold": Relation(rows=700, size_bytes=99_000)}
    assert [finding.evidence.summary for finding in judge(observations, BUDGET)] == [
        "REFRESH made 700 rows (99.0 kB) of sold anew in 1.4 s; held: ACCESS EXCLUSIVE on sold for 1.5 s; "
        "readers waited up to 1.5 s."
    ]


@pytest.mark.parametrize(
    ("sql", "sqlstate", "hazard", "told_so"),
    [
        (EXCLUDE, "23P01", "H32", "An exclusion constraint failed on {0}: some do not keep to it (SQLSTATE 23P01)."),
        (KEY, "23502", "H33", "A primary key failed on {0}: some do not keep to it (SQLSTATE 23502)."),
        (DOMAIN, "23514", "H34", "A check of the domain amount failed on rows that are there (SQLSTATE 23514)."),
    ],
)
def test_failure_on_the_rows_that_are_there(sql: str, sqlstate: str, hazard: str, told_so: str) -> None:
    step = statement(sql.format("shop_order"), 0.0, 0.1, sqlstate=sqlstate)
    [finding] = judge(observed([SQL], [step], error=error(sqlstate)), BUDGET)
    assert (finding.hazard, finding.severity) == (hazard, "failure")
    assert finding.evidence.summary == told_so.format("300,000 rows (38.0 MB) of shop_order")


def test_value_of_an_enum_that_is_used_too_early() -> None:
    add = statement('ALTER TYPE "channel" ADD VALUE $1', 0.0, 0.001)
    use = statement('UPDATE "shop_order" SET "channel" = $1', 0.1, 0.001, sqlstate="55P04")
    [finding] = judge(observed([SQL], [add, use], error=error("55P04")), BUDGET)
    assert (finding.hazard, finding.severity, finding.table) == ("H35", "failure", "shop_order")
    assert finding.evidence.summary == (
        "A value of channel was used in the transaction that had added it (SQLSTATE 55P04)."
    )
    assert 'ALTER TYPE \\"channel\\" ADD VALUE' in finding.advice.django
    assert ids(observed([SQL], [add])) == []


def error(sqlstate: str) -> RehearsalError:
    return RehearsalError(kind="migration failed", sqlstate=sqlstate, migration="shop.0002_change")


def test_sentences_of_what_was_done() -> None:
    def sentence(sql: str, table: str, mode: str, ms: float, work: str) -> str:
        return told(seen(sql.format(table), table, mode, ms, work))[0][3]

    assert [
        sentence("CLUSTER", "shop_order", AX, 500, "rewrite"),
        sentence('ALTER TABLE "{0}" SET ACCESS METHOD heap', "shop_order", AX, 500, "rewrite"),
        sentence(KEY, "shop_order", AX, 50, "scan"),
        sentence('ALTER TABLE "{0}" ADD PRIMARY KEY ("n")', "shop_order", AX, 50, "scan"),
        sentence(EXCLUDE, "shop_order", AX, 50, "scan"),
        sentence(DOMAIN, "shop_order", SHARE, 50, "scan"),
        sentence(ATTACH, "shop_customer", AX, 50, "scan"),
        sentence('ALTER TABLE "{0}" DETACH PARTITION "p"', "shop_order", AX, 2, ""),
        told(unbounded(TRIGGER.format("shop_order"), "shop_order", SRX, 2))[0][3],
    ] == [
        "CLUSTER rewrote 300,000 rows (38.0 MB) of shop_order in 500 ms",
        "SET ACCESS METHOD rewrote 300,000 rows (38.0 MB) of shop_order in 500 ms",
        "A primary key read 300,000 rows (38.0 MB) of shop_order for NULLs in 50 ms",
        "A primary key built its index from 300,000 rows (38.0 MB) of shop_order in 50 ms",
        "An exclusion constraint built its index from 300,000 rows (38.0 MB) of shop_order in 50 ms",
        "A check of the domain amount read 300,000 rows (38.0 MB) of shop_order in 50 ms",
        "A partition's bounds in shop_order were checked by reading 90,000 rows (9.0 MB) of shop_customer in 50 ms",
        "Detaching the partition p locked 300,000 rows (38.0 MB) of shop_order in 2.0 ms",
        "A change of a trigger took SHARE ROW EXCLUSIVE on 300,000 rows (38.0 MB) of shop_order",
    ]
