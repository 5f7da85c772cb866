"""A partitioned table as one: what is told of the whole, and what of a partition."""

from __future__ import annotations

from greenroom.rehearsal.document import MigrationRun, Statement
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.observations import Relation
from greenroom.rehearsal.probes import Wait
from greenroom.rehearsal.stalls import Size, stalls
from tests.rehearsal.observed import AX, RX, SHARE, SUX, lock, statement

ZERO = 100.0  # time.monotonic() when the migration was let go
RELATIONS = {
    "line": Relation(rows=300, size_bytes=3000, partitions=("line_old", "line_new_a")),
    "line_old": Relation(rows=200, size_bytes=2000, ancestors=("line",)),
    "line_new": Relation(rows=100, size_bytes=1000, partitions=("line_new_a",), ancestors=("line",)),
    "line_new_a": Relation(rows=100, size_bytes=1000, ancestors=("line", "line_new")),
    "other": Relation(rows=1, size_bytes=10),
}
EVERY = ("line", "line_old", "line_new", "line_new_a")


def folded(*statements: Statement) -> Folded:
    run = MigrationRun(app="shop", name="0002_change", status="applied", statements=list(statements))
    return Folded([run], RELATIONS)


def of(found: Folded, at: int = 0) -> Statement:
    return found.runs[0].statements[at]


def test_statement_of_the_table_stands_for_all_its_partitions() -> None:
    sql = 'ALTER TABLE "line" ALTER COLUMN "note" SET NOT NULL'
    seen = statement(sql, 1.0, 0.5, *(lock(table, AX, 1.0, 500) for table in EVERY), scans=("line_old", "line_new_a"))
    seen.scans[0].rows, seen.scans[1].rows = 200, 100
    found = of(folded(seen))
    assert [one.table for one in found.locks] == ["line"]
    assert [(scan.table, scan.rows) for scan in found.scans] == [("line", 300)]
    assert [one.table for one in seen.locks] == list(EVERY), "the document keeps what was seen"


def test_rewrites_are_summed() -> None:
    sql = 'ALTER TABLE "line" ALTER COLUMN "price" TYPE bigint'
    seen = statement(
        sql, 1.0, 0.5, *(lock(table, AX, 1.0, 500) for table in EVERY), rewrites=("line_old", "line_new_a")
    )
    for rewrite, relation in zip(seen.rewrites, ("line_old", "line_new_a"), strict=True):
        rewrite.rows, rewrite.size_bytes = RELATIONS[relation].rows, RELATIONS[relation].size_bytes
        rewrite.indexes = [f"{relation}_pkey"]
    [rewrite] = of(folded(seen)).rewrites
    assert (rewrite.table, rewrite.rows, rewrite.size_bytes) == ("line", 300, 3000)
    assert rewrite.indexes == ["line_old_pkey", "line_new_a_pkey"]


def test_statement_of_a_partition_stays_there() -> None:
    seen = statement('CREATE INDEX "i" ON "line_old" ("note")', 1.0, 0.5, lock("line_old", SHARE, 1.0, 500))
    seen = seen.model_copy(update={"scans": statement("", 0, 0, scans=("line_old",)).scans})
    found = of(folded(seen))
    assert [one.table for one in found.locks] == [scan.table for scan in found.scans] == ["line_old"]


def test_statement_of_a_partition_that_has_partitions_stands_for_those() -> None:
    seen = statement(
        'CREATE INDEX "i" ON "line_new" ("note")',
        1.0,
        0.5,
        *(lock(table, SHARE, 1.0, 500) for table in ("line_new", "line_new_a")),
        scans=("line_new_a",),
    )
    found = of(folded(seen))
    assert [one.table for one in found.locks] == [scan.table for scan in found.scans] == ["line_new"]


def test_attached_partition_stays_apart() -> None:
    seen = statement(
        'ALTER TABLE "line" ATTACH PARTITION "line_old" FOR VALUES FROM (1) TO (9)',
        1.0,
        0.5,
        lock("line", SUX, 1.0, 500),
        lock("line_old", AX, 1.0, 500),
        scans=("line_old",),
    )
    found = of(folded(seen))
    assert [one.table for one in found.locks] == ["line", "line_old"]
    assert [scan.table for scan in found.scans] == ["line_old"]


def test_lock_that_the_table_does_not_cover_stays() -> None:
    early = statement('ALTER TABLE "line_old" ADD "a" int', 1.0, 0.5, lock("line_old", AX, 1.0, 2000))
    late = statement(
        'ALTER TABLE "line" ADD "b" int', 2.0, 0.5, *(lock(t, AX, 2.0, 1000) for t in ("line", "line_new"))
    )
    found = folded(early, late)
    assert [one.table for one in of(found).locks] == ["line_old"]
    assert [one.table for one in of(found, 1).locks] == ["line"]


def test_statement_that_names_no_table_is_of_the_one_that_it_locks_whole() -> None:
    seen = statement('DROP INDEX "i"', 1.0, 0.1, *(lock(table, AX, 1.0, 100) for table in EVERY))
    assert [one.table for one in of(folded(seen)).locks] == ["line"]


def test_stall_is_told_once_with_all_rows() -> None:
    sql = 'ALTER TABLE "line" ALTER COLUMN "note" SET NOT NULL'
    found = folded(statement(sql, 1.0, 0.5, *(lock(table, AX, 1.0, 500) for table in EVERY)))
    waits = [
        Wait("line_old", "read", ZERO + 1.01, ZERO + 1.5),
        Wait("line_new_a", "write", ZERO + 1.01, ZERO + 1.5),
        Wait("other", "read", ZERO + 1.01, ZERO + 1.5, witnessed=True),
    ]
    told = found.waits(waits, ZERO)
    assert [wait.table for wait in told] == ["line", "line", "other"]
    sizes = {table: Size(relation.rows, relation.size_bytes) for table, relation in RELATIONS.items()}
    line, other = stalls(found.runs, told, ZERO, sizes)
    assert (line.table, line.rows, line.size_bytes, line.derived) == ("line", 300, 3000, False)
    assert other.table == "other"


def test_waits_for_rows_are_of_the_table_that_was_updated() -> None:
    wait = Wait("line_old", "row", ZERO + 1.1, ZERO + 1.5)
    whole = folded(statement('UPDATE "line" SET "a" = 1', 1.0, 0.5, *(lock(t, RX, 1.0, 600) for t in EVERY)))
    alone = folded(statement('UPDATE "line_old" SET "a" = 1', 1.0, 0.5, lock("line_old", RX, 1.0, 600)))
    assert [one.table for one in whole.waits([wait], ZERO)] == ["line"]
    assert [one.table for one in alone.waits([wait], ZERO)] == ["line_old"]
