"""Findings of what the migration has left behind: views, prepared statements, look-ups, dated types."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.rehearsal.document import RehearsalError, Statement
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.observations import Aftermath, DatedColumn, Lookup, Observations
from greenroom.rehearsal.verdict import decide
from tests.rehearsal.observed import AX, BUDGET, lock, observed, operation, statement

DROP = 'ALTER TABLE "shop_order" DROP COLUMN "note" CASCADE'
TYPE = 'ALTER TABLE "shop_order" ALTER COLUMN "note" TYPE text'
VIEWS = {
    "shop_noted": frozenset({("shop_order", "note"), ("shop_order", "")}),
    "audit.orders": frozenset({("shop_order", "id"), ("shop_order", "")}),
    "shop_colours": frozenset({("shop_colour", "id"), ("shop_colour", "")}),
}
REMOVE = operation(0, "RemoveField", "Remove field note from order", name="note", field="CharField")


def left(*statements: Statement, error: RehearsalError | None = None, **aftermath: object) -> Observations:
    observations = observed([REMOVE], list(statements), error=error)
    observations.aftermath = replace(Aftermath(views=VIEWS), **aftermath)  # type: ignore[arg-type]
    return observations


def told(observations: Observations) -> list[tuple[str, str, str | None, str]]:
    found = judge(observations, BUDGET)
    return [(one.hazard, one.severity, one.table, one.evidence.summary.partition(";")[0]) for one in found]


def drop(sql: str = DROP) -> Statement:
    return statement(sql, 0.0, 0.001, lock("shop_order", AX, 0.0, 3))


def test_view_that_went_with_its_column() -> None:
    gone = left(drop(), views_gone=frozenset({"shop_noted"}))
    assert told(gone) == [
        (
            "H48",
            "failure",
            "shop_order",
            "The view shop_noted reads shop_order.note and was dropped with it, though no statement says so",
        )
    ]
    [finding] = judge(gone, BUDGET)
    assert "'DROP VIEW \"shop_noted\"'" in finding.advice.django
    assert decide(gone, judge(gone, BUDGET), BUDGET) == (
        "fail",
        ["shop.0002_change has dropped what it does not name: shop_noted."],
    )


def test_views_that_went_with_their_table_are_told_once() -> None:
    steps = [drop('DROP TABLE "shop_order" CASCADE'), drop(DROP)]
    views = left(*steps, views_gone=frozenset({"shop_noted", "audit.orders"}))
    assert told(views) == [
        (
            "H48",
            "failure",
            "shop_order",
            "The views audit.orders, shop_noted read shop_order and were dropped with it, though no statement says so",
        )
    ]


@pytest.mark.parametrize(
    ("before", "gone"),
    [
        ('DROP VIEW IF EXISTS "shop_colours", "shop_noted"', {"shop_noted"}),
        ("DROP VIEW orders", {"audit.orders"}),
        ("DROP VIEW audit.orders CASCADE", {"audit.orders"}),
        ("SELECT $1", set()),
        ("SELECT $1", {"shop_colours"}),
    ],
)
def test_view_that_was_dropped_by_name_or_is_there_is_no_finding(before: str, gone: set[str]) -> None:
    assert told(left(statement(before, -0.1, 0.0), drop(), views_gone=frozenset(gone))) == []


@pytest.mark.parametrize(
    ("sql", "sqlstate", "named"),
    [(TYPE, "0A000", "shop_order.note"), ('DROP TABLE "shop_colour"', "2BP01", "shop_colour")],
)
def test_view_that_is_in_the_way(sql: str, sqlstate: str, named: str) -> None:
    error = RehearsalError(kind="migration failed", sqlstate=sqlstate, migration="shop.0002_change")
    view = "shop_noted" if sqlstate == "0A000" else "shop_colours"
    step = statement(sql, 0.0, 0.001, sqlstate=sqlstate)
    assert told(left(step, error=error)) == [
        (
            "H48",
            "failure",
            named.partition(".")[0],
            f"The view {view} reads {named}, so its change was refused (SQLSTATE {sqlstate}).",
        )
    ]
    assert told(left(step, error=error, views={})) == []


def test_prepared_statement_that_would_return_another_type() -> None:
    steps = [drop(TYPE), statement('ALTER TABLE "shop_order" ADD COLUMN "a" int', 0.1, 0.0, operation=None)]
    refused = {"shop_order": "0A000", "shop_customer": "42703", "shop_colour": "55P03"}
    [finding] = judge(left(*steps, refused=refused), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.operation) == ("H47", "note", "shop_order", 0)
    assert finding.evidence.summary == (
        "A SELECT of shop_order that was prepared before the migration failed after it (SQLSTATE 0A000): "
        "it would return another type."
    )
    assert 'migrations.AddField("order", "note_new", models.CharField(null=True))' in finding.advice.django


def test_prepared_statement_of_a_table_that_no_statement_names() -> None:
    [finding] = judge(left(statement("SELECT $1", 0.0, 0.0), refused={"audit.orders": "0A000"}), BUDGET)
    assert (finding.hazard, finding.table, finding.migration, finding.operation) == ("H47", "audit.orders", None, None)


def test_foreign_key_without_an_index() -> None:
    lookup = Lookup("shop_order", ("note_id",), "shop_customer", 0.25)
    add = statement('ALTER TABLE "shop_order" ADD COLUMN "note_id" int NULL', 0.0, 0.001)
    [finding] = judge(left(add, lookups=(lookup,)), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.operation) == ("G01", "note", "shop_order", 0)
    assert finding.evidence.summary == (
        "The foreign key note_id of shop_order to shop_customer has no index: to delete a row of shop_customer, "
        "the server reads 300,000 rows (38.0 MB) of shop_order, which took 250 ms."
    )
    assert 'AddIndexConcurrently("order"' in finding.advice.django


def test_look_up_that_was_not_tried_is_told_without_figures() -> None:
    lookup = Lookup("shop_gift", ("order_id", "line"), "shop_order")
    assert told(left(lookups=(lookup,))) == [
        ("G01", "note", "shop_gift", "The foreign key order_id, line of shop_gift to shop_order has no index.")
    ]


def test_dated_types_are_one_note_a_table() -> None:
    dated = (
        DatedColumn("shop_coupon", "id", "integer", is_key=True),
        DatedColumn("shop_order", "note", "json"),
        DatedColumn("shop_order", "code", "character(2)"),
    )
    assert told(left(dated=dated)) == [
        (
            "G04",
            "note",
            "shop_coupon",
            "New columns of shop_coupon will want another type: id is integer and the primary key.",
        ),
        (
            "G04",
            "note",
            "shop_order",
            "New columns of shop_order will want another type: note is json, code is character(2).",
        ),
    ]


def test_several_last_migrations_are_why_django_did_not_begin() -> None:
    refused = observed([], [], error=RehearsalError(kind="migration failed", exception="CommandError"))
    refused.plan.migrations.clear()
    refused.conflicts = {"shop": ["0002_a", "0002_b"]}
    assert told(refused) == [
        ("G02", "failure", None, "The app shop has 2 last migrations, 0002_a, 0002_b: Django refused to begin.")
    ]
    assert "makemigrations --merge shop" in judge(refused, BUDGET)[0].advice.django
    assert decide(refused, judge(refused, BUDGET), BUDGET) == ("fail", ["The migration failed with CommandError."])


def test_model_of_the_code_that_an_operation_queried() -> None:
    update = statement('UPDATE "shop_order" SET "note" = $1', 0.0, 0.01, rows=3)
    observations = observed([operation(0, "RunPython", table=None)], [update])
    observations.models = {("shop.0002_change", 0): ["shop.Order", "shop.Colour"], ("shop.0001_initial", 0): ["a.B"]}
    [finding] = judge(observations, BUDGET)
    assert (finding.hazard, finding.severity, finding.operation) == ("G03", "note", 0)
    assert finding.evidence.summary == (
        "RunPython queried shop.Order, shop.Colour as the code is today, not as this migration knows it."
    )
    assert finding.advice.django.endswith('apps.get_model("shop", "Order")')
