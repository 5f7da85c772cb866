"""Findings from observations: what proves a hazard, what does not, and how grave it is."""

from __future__ import annotations

import ast
from string import Template

import pytest

from greenroom.rehearsal.document import Finding, Statement
from greenroom.rehearsal.hazards import CATALOGUE, judge
from tests.rehearsal.observed import AX, BUDGET, KEY, SHARE, SRX, ids, lock, observed, operation, stall, statement

INDEX = 'CREATE INDEX "i" ON "shop_order" ("status")'
TYPE = 'ALTER TABLE "{0}" ALTER COLUMN "n" TYPE bigint USING "n"::bigint'
ADD_INDEX = operation(0, "AddIndex", "Create index i on field(s) status of model order", name="i")


def built(ms: float, **more: object) -> Statement:
    sql_lock = lock("shop_order", SHARE, 0.0, ms)
    return statement(INDEX, 0.0, ms / 1000, sql_lock, scans=("shop_order",))


def test_index_finding_in_full() -> None:
    observations = observed([ADD_INDEX], [built(500)], stalls=[stall("shop_order", 0.0, 498, reads=False)])
    [finding] = judge(observations, BUDGET)
    assert finding == Finding(
        hazard="H01",
        name="index-blocking",
        severity="warning",
        table="shop_order",
        migration="shop.0002_change",
        operation=0,
        evidence=finding.evidence,
        advice=finding.advice,
    )
    assert finding.evidence.summary == (
        "An index was built from 300,000 rows (38.0 MB) of shop_order in 500 ms; held: SHARE on shop_order for 500 ms; "
        "writers waited up to 498 ms."
    )
    assert (finding.evidence.read_ms, finding.evidence.write_ms, finding.evidence.rows) == (0.0, 498.0, 300_000)
    assert [(table.table, table.mode, table.rows) for table in finding.evidence.tables] == [
        ("shop_order", SHARE, 300_000)
    ]
    assert 'AddIndexConcurrently("order", models.Index(fields=["status"], name="i"))' in finding.advice.django


@pytest.mark.parametrize(("ms", "severity"), [(399, "note"), (401, "warning"), (1999, "warning"), (2001, "failure")])
def test_severity_follows_the_stall(ms: float, severity: str) -> None:
    assert ids(observed([ADD_INDEX], [built(ms)])) == [("H01", severity)]


def test_what_the_probes_measured_goes_before_what_locks_derive() -> None:
    derived = observed([ADD_INDEX], [built(2500)], stalls=[stall("shop_order", 0.0, 2500, derived=True)])
    measured = observed([ADD_INDEX], [built(2500)], stalls=[stall("shop_order", 0.1, 1900, reads=False)])
    assert ids(derived) == [("H01", "failure")]
    assert ids(measured) == [("H01", "warning")]


def test_wait_of_an_earlier_lock_is_not_blamed_on_the_next() -> None:
    long = stall("shop_order", -3.0, 3005, reads=False)  # it ends 5 ms into this lock
    assert ids(observed([ADD_INDEX], [built(8)], stalls=[long])) == [("H01", "note")]


def test_text_alone_proves_nothing() -> None:
    unread = statement(INDEX, 0.0, 0.1, lock("shop_order", SHARE, 0.0, 100))
    unlocked = statement(INDEX, 0.0, 0.1, scans=("shop_order",))
    empty = statement(
        'CREATE INDEX "i" ON "shop_empty" ("a")', 0.0, 0.1, lock("shop_empty", SHARE, 0, 100), scans=("shop_empty",)
    )
    unwritten = statement(TYPE.format("shop_order"), 0.0, 0.1, lock("shop_order", AX, 0.0, 100))
    believed = statement(
        'ALTER TABLE "shop_order" ALTER COLUMN "note" SET NOT NULL', 0.0, 0.1, lock("shop_order", AX, 0.0, 100)
    )
    for harmless in (unread, unlocked, empty, unwritten, believed):
        assert ids(observed([ADD_INDEX], [harmless])) == []


def test_index_under_the_lock_of_another_operation_is_an_index() -> None:
    """No column was added, so there is none to add without its index."""
    comment = 'ALTER TABLE "shop_order" ALTER COLUMN "note" DROP NOT NULL'
    steps = [
        statement(comment, 0.0, 0.001, lock("shop_order", AX, 0.0, 3000)),
        statement(INDEX, 0.1, 2.8, lock("shop_order", SHARE, 0.1, 2900), scans=("shop_order",), operation=1),
    ]
    alter = operation(0, "AlterField", "Alter field note on order", name="note", field="TextField")
    add = operation(1, "AddIndex", "Create index on order", name="order_total")
    found = judge(observed([alter, add], steps), BUDGET)
    assert [finding.hazard for finding in found if finding.operation == 1] == ["H01"]


def test_index_under_a_lock_is_not_two_findings() -> None:
    add = 'ALTER TABLE "shop_order" ADD COLUMN "gift_id" bigint NULL CONSTRAINT "c" REFERENCES "shop_customer" ("id")'
    steps = [
        statement(add, 0.0, 0.001, lock("shop_order", AX, 0.0, 3000), lock("shop_customer", SRX, 0.0, 3000)),
        statement(INDEX, 0.1, 2.8, lock("shop_order", SHARE, 0.1, 2900), scans=("shop_order",)),
    ]
    field = operation(0, "AddField", "Add field gift to order", name="gift", field="ForeignKey")
    [finding] = judge(observed([field], steps), BUDGET)
    assert (finding.hazard, finding.severity) == ("H03", "failure")
    assert [(table.table, table.mode) for table in finding.evidence.tables] == [
        ("shop_order", AX),
        ("shop_customer", SRX),
    ]
    assert (
        'migrations.AddField("order", "gift", models.ForeignKey(..., null=True, db_index=False))'
        in finding.advice.django
    )


def test_foreign_key_made_again_is_not_one_made() -> None:
    drop = 'SET CONSTRAINTS "fk" IMMEDIATE; ALTER TABLE "shop_order" DROP CONSTRAINT "fk"'
    steps = [
        statement(drop, 0.0, 0.001, lock("shop_order", AX, 0.0, 3000), lock("shop_customer", AX, 0.0, 3000)),
        statement(KEY, 0.1, 2.8, scans=("shop_order", "shop_customer")),
    ]
    alter = operation(0, "AlterField", "Alter field customer on order", name="customer", field="ForeignKey")
    assert ids(observed([alter], steps)) == [("H15", "failure")]


def test_foreign_key_that_reads_nothing_is_no_finding() -> None:
    locks = (lock("shop_order", SRX, 0.0, 5), lock("shop_customer", SRX, 0.0, 5))
    alter = operation(0, "AlterField", "Alter field customer on order")
    assert ids(observed([alter], [statement(KEY, 0.0, 0.1, *locks, scans=("shop_order",))])) == [("H13", "note")]
    assert ids(observed([alter], [statement(KEY, 0.0, 0.1, *locks)])) == []


def test_table_behind_the_search_path_is_found() -> None:
    observations = observed([ADD_INDEX], [])
    observations.relations = {"sales.shop_order": observations.relations["shop_order"]}
    observations.migrations[0].statements.append(
        statement(INDEX, 0.0, 0.1, lock("sales.shop_order", SHARE, 0.0, 100), scans=("sales.shop_order",))
    )
    [finding] = judge(observations, BUDGET)
    assert (finding.hazard, finding.table) == ("H01", "sales.shop_order")


def test_rewrite_of_a_small_table_is_a_note_even_when_it_waits_for_others() -> None:
    small = statement(
        TYPE.format("shop_colour"), 0.0, 0.001, lock("shop_colour", AX, 0.0, 3000), rewrites=("shop_colour",)
    )
    other = statement(INDEX, 0.01, 2.9, lock("shop_order", SHARE, 0.01, 2990), scans=("shop_order",), operation=1)
    alter = operation(
        0, "AlterField", "Alter field n on colour", table="shop_colour", name="n", field="BigIntegerField"
    )
    add = operation(1, "AddIndex", "Create index i on field(s) status of model order", name="i")
    findings = judge(observed([alter, add], [small, other]), BUDGET)
    assert [(finding.hazard, finding.severity) for finding in findings] == [
        ("H01", "failure"),
        ("H46", "failure"),
        ("H24", "note"),
    ]
    assert {table.table for table in findings[0].evidence.tables} == {"shop_order", "shop_colour"}


def test_many_short_rewrites_of_one_table_are_one_long_stall() -> None:
    steps = [
        statement(
            TYPE.format("shop_order"),
            number / 5,
            0.2,
            *([lock("shop_order", AX, 0.0, 4000)] if not number else []),
            rewrites=("shop_order",),
            operation=number,
        )
        for number in range(20)
    ]
    operations = [operation(number, "AlterField", "Alter field n on order", name="n") for number in range(20)]
    assert ids(observed(operations, steps)) == [("H24", "failure")] * 20


def test_dropped_key_locks_its_parent_unless_alone_and_bounded() -> None:
    locks = (lock("shop_order", AX, 0.0, 4), lock("shop_customer", AX, 0.0, 4))
    drop = statement('ALTER TABLE "shop_order" DROP CONSTRAINT "fk"', 0.0, 0.001, *locks)
    column = statement('ALTER TABLE "shop_order" DROP COLUMN "customer_id" CASCADE', 0.001, 0.001)
    remove = operation(0, "RemoveField", "Remove field customer from order", name="customer", field="ForeignKey")
    assert ids(observed([remove], [drop])) == []
    assert ids(observed([remove], [drop, column])) == [("H16", "note")]
    assert ids(observed([remove], [drop], lock_timeout_ms=None)) == [("H16", "note"), ("H44", "note")]


def test_missing_lock_timeout_is_one_note_for_all_tables() -> None:
    steps = [
        statement('ALTER TABLE "shop_order" ADD COLUMN "a" int', 0.0, 0.0, lock("shop_order", AX, 0.0, 3)),
        statement(
            'ALTER TABLE "shop_colour" ADD COLUMN "a" int', 0.1, 0.0, lock("shop_colour", AX, 0.1, 3), transaction=1
        ),
    ]
    [finding] = judge(observed([operation(0, "AddField")], steps, lock_timeout_ms=None), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.migration) == ("H44", "note", None, None)
    assert finding.evidence.summary.startswith(
        "No lock_timeout was set while shop_colour, shop_order were locked: behind one long transaction"
    )
    guard = statement("SET lock_timeout = '2s'", -0.1, 0.0)
    assert judge(observed([operation(0, "AddField")], [guard, *steps], lock_timeout_ms=None), BUDGET) == []


def test_irreversible_is_a_warning_only_where_nothing_can_go_back() -> None:
    closed = observed([operation(0, "RunPython", reversible=False)], [])
    assert ids(closed) == [("C10", "warning")]
    later = observed([operation(0, "AddField")], [], name="0003_more")
    closed.plan.migrations += later.plan.migrations
    closed.migrations += later.migrations
    assert ids(closed) == [("C10", "note")]


def test_findings_are_sorted_by_severity_then_length() -> None:
    steps = [
        statement(
            f'CREATE INDEX "i" ON "{table}" ("a")',
            number * 10.0,
            seconds,
            lock(table, SHARE, number * 10.0, seconds * 1000),
            scans=(table,),
            transaction=number,
            operation=number,
        )
        for number, (table, seconds) in enumerate([("shop_colour", 0.1), ("shop_customer", 2.5), ("shop_order", 4.0)])
    ]
    operations = [operation(number, "AddIndex") for number in range(3)]
    findings = judge(observed(operations, steps), BUDGET)
    assert [(f.table, f.severity) for f in findings] == [
        ("shop_order", "failure"),
        ("shop_customer", "failure"),
        ("shop_colour", "note"),
    ]


@pytest.mark.parametrize("hazard", CATALOGUE.values(), ids=CATALOGUE)
def test_catalogue_row_is_complete_and_its_twin_is_python(hazard) -> None:  # type: ignore[no-untyped-def]
    for sentence in (hazard.what, hazard.why, hazard.twin):
        assert sentence[0].isupper() and sentence.endswith(".")
    names = (
        "app model field field_class fields columns table column parent parent_table old_table constraint index".split()
    ) + "partition type view limit parent_columns".split()
    assert ast.parse(Template(hazard.django).substitute(dict.fromkeys(names, "x")))
    assert hazard.hides <= set(CATALOGUE)


def test_nothing_observed_is_nothing_found() -> None:
    assert judge(observed([], []), BUDGET) == []


def test_long_lists_are_cut_in_sentences_and_whole_in_tables() -> None:
    steps = [
        statement(f'ALTER TABLE "t{n}" ADD COLUMN "a" int', n / 10, 0.0, lock(f"t{n}", AX, n / 10, 5000))
        for n in range(9)
    ]
    [finding] = judge(observed([operation(0, "AddField")], steps, lock_timeout_ms=None), BUDGET)
    assert "t0, t1, t2, t3 and 5 more were locked" in finding.evidence.summary
    assert len(finding.evidence.tables) == 9
