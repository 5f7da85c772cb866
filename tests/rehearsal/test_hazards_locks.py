"""Hazards of locks that are held for others: under whose lock, on how many tables, until when."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Statement
from greenroom.rehearsal.hazards import judge
from tests.rehearsal.observed import AX, BUDGET, SHARE, SRX, SUX, ids, lock, observed, operation, statement

ADD = 'ALTER TABLE "{0}" ADD COLUMN "a" int NULL'
NOT_VALID = 'ALTER TABLE "shop_order" ADD CONSTRAINT "c" CHECK ("n" > $1) NOT VALID'
VALIDATE = 'ALTER TABLE "shop_order" VALIDATE CONSTRAINT "c"'
KEY = (
    'ALTER TABLE "shop_line" ADD CONSTRAINT "fk" FOREIGN KEY ("{0}_id") REFERENCES "{0}" ("id")'
    " DEFERRABLE INITIALLY DEFERRED"
)
TWO = [operation(0, "AddConstraintNotValid"), operation(1, "ValidateConstraint")]


def validating(start: float = 0.1, transaction: int = 0) -> Statement:
    own = lock("shop_order", SUX, start, 400)
    return statement(VALIDATE, start, 0.4, own, scans=("shop_order",), operation=1, transaction=transaction)


def test_validation_under_the_lock_of_the_statement_before() -> None:
    add = statement(NOT_VALID, 0.0, 0.001, lock("shop_order", AX, 0.0, 500))
    [finding] = judge(observed(TWO, [add, validating()]), BUDGET)
    assert (finding.hazard, finding.severity, finding.operation) == ("H12", "warning", 1)
    assert finding.evidence.summary == (
        "A constraint was validated by reading 300,000 rows (38.0 MB) of shop_order in 400 ms, while an earlier "
        "statement's lock was held; held: ACCESS EXCLUSIVE on shop_order for 500 ms; readers waited up to 500 ms, "
        "writers waited up to 500 ms."
    )


def test_validation_in_a_transaction_of_its_own_is_no_finding() -> None:
    add = statement(NOT_VALID, 0.0, 0.001, lock("shop_order", AX, 0.0, 3))
    assert ids(observed(TWO, [add, validating(transaction=1)])) == []
    assert ids(observed(TWO, [validating()])) == []


def test_validation_of_a_foreign_key_names_both_tables() -> None:
    sql = 'ALTER TABLE "shop_order" ADD CONSTRAINT "c" FOREIGN KEY ("n") REFERENCES "shop_customer" ("id") NOT VALID'
    locks = (lock("shop_order", SRX, 0.0, 500), lock("shop_customer", SRX, 0.0, 500))
    [finding] = judge(observed(TWO, [statement(sql, 0.0, 0.001, *locks), validating()]), BUDGET)
    assert finding.hazard == "H12"
    assert {table.table for table in finding.evidence.tables} == {"shop_order", "shop_customer"}


@pytest.mark.parametrize("sqlstate", ["23514", "23503"])
def test_validation_that_fails_is_told_by_its_constraint(sqlstate: str) -> None:
    failed = statement(VALIDATE, 0.0, 0.1, operation=1, sqlstate=sqlstate)
    assert ids(observed(TWO, [failed])) == [("H10" if sqlstate == "23514" else "H13", "failure")]


def created(*parents: str) -> list[Statement]:
    keys = [
        statement(KEY.format(parent), 0.1 + number / 10, 0.001, lock(parent, SRX, 0.1 + number / 10, 500 - number))
        for number, parent in enumerate(parents)
    ]
    return [statement('CREATE TABLE "shop_line" ("id" bigint NOT NULL PRIMARY KEY)', 0.0, 0.001), *keys]


CREATE = operation(0, "CreateModel", "Create model Line", table="shop_line")


def test_new_table_locks_all_its_parents_and_is_one_finding() -> None:
    steps = created("shop_customer", "shop_order", "shop_empty")
    findings = judge(observed([CREATE], steps, lock_timeout_ms=None), BUDGET)
    [finding] = [one for one in findings if one.hazard == "H14"]
    assert (finding.severity, finding.table) == ("warning", "shop_order")
    assert finding.evidence.summary.startswith(
        "Foreign keys of shop_line locked 90,000 rows (9.0 MB) of shop_customer, 300,000 rows (38.0 MB) of shop_order "
        "against writers; held: SHARE ROW EXCLUSIVE on shop_customer for 500 ms, "
    )
    assert 'ALTER TABLE "shop_line" ADD CONSTRAINT "fk" FOREIGN KEY' in finding.advice.django


def test_parent_that_is_empty_or_locked_for_so_long_and_no_longer_is_no_finding() -> None:
    assert ids(observed([CREATE], created("shop_empty"), lock_timeout_ms=None)) == [("H44", "note")]
    assert ids(observed([CREATE], created("shop_order"))) == []


def added(*tables: str, seconds: float = 0.001) -> list[Statement]:
    """A column on each of the tables, an operation each, until the end of a common transaction."""
    end = len(tables) * seconds
    return [
        statement(
            ADD.format(table),
            number * seconds,
            seconds,
            lock(table, AX, number * seconds, (end - number * seconds) * 1000),
            operation=number,
        )
        for number, table in enumerate(tables)
    ]


def adding(count: int) -> list:  # type: ignore[type-arg]
    return [operation(number, "AddField", name="a", field="IntegerField") for number in range(count)]


def test_many_tables_in_one_transaction() -> None:
    steps = added("shop_order", "shop_customer", "shop_colour", seconds=0.2)
    [finding] = judge(observed(adding(3), steps), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.operation) == (
        "H46",
        "warning",
        "shop_order",
        None,
    )
    assert finding.evidence.summary.startswith(
        "3 tables were locked until the commit (shop_colour, shop_customer, shop_order), shop_order through 400 ms of "
        "work on others; held: ACCESS EXCLUSIVE on shop_order for 600 ms, "
    )


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (added("shop_order", "shop_customer"), []),
        (added("shop_order", "shop_customer", "shop_empty"), []),
        (added("shop_order", "shop_order", "shop_order"), []),
        (added("shop_order", "shop_customer", seconds=0.06), [("H46", "note")]),
        (added("shop_order", "shop_customer", "shop_colour"), [("H46", "note")]),
    ],
)
def test_two_tables_for_a_moment_are_not_many(steps: list[Statement], found: list[tuple[str, str]]) -> None:
    assert ids(observed(adding(3), steps)) == found


def test_tables_of_one_operation_are_not_put_together_by_the_migration() -> None:
    steps = [step.model_copy(update={"operation": 0}) for step in added("shop_order", "shop_customer", "shop_colour")]
    assert ids(observed(adding(1), steps)) == []


def test_long_work_on_a_table_is_not_blamed_on_the_others() -> None:
    build = statement(
        'CREATE INDEX "i" ON "shop_order" ("a")', 0.0, 3.0, lock("shop_order", SHARE, 0.0, 3002), scans=("shop_order",)
    )
    others = [
        statement(
            ADD.format(table), 3.0 + number / 1000, 0.001, lock(table, AX, 3.0 + number / 1000, 2), operation=number
        )
        for number, table in enumerate(("shop_customer", "shop_colour"), start=1)
    ]
    assert ids(observed(adding(3), [build, *others])) == [("H01", "failure"), ("H46", "note")]


@pytest.mark.parametrize(
    ("sql", "transaction", "guarded"),
    [
        ("SET LOCAL lock_timeout = '2s'", 0, True),
        ("SET LOCAL lock_timeout = '2s'", 1, False),
        ("SET lock_timeout = '2s'", 1, True),
        ("SET lock_timeout = 0", 0, False),
        ("SET LOCAL lock_timeout = $1", 0, True),
    ],
)
def test_lock_timeout_counts_where_it_is_in_force(sql: str, transaction: int, guarded: bool) -> None:
    set_ = statement(sql, -0.1, 0.0, transaction=transaction)
    step = statement(ADD.format("shop_order"), 0.0, 0.001, lock("shop_order", AX, 0.0, 3))
    found = ids(observed(adding(1), [set_, step], lock_timeout_ms=None))
    assert found == ([] if guarded else [("H44", "note")])
