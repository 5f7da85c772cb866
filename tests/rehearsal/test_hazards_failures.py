"""Hazards that a migration has failed with: one of them tells it."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import RehearsalError
from greenroom.rehearsal.hazards import judge
from tests.rehearsal.observed import BUDGET, KEY, RX, ids, lock, observed, operation, statement


def error(sqlstate: str) -> RehearsalError:
    return RehearsalError(kind="migration failed", sqlstate=sqlstate, migration="shop.0002_change")


@pytest.mark.parametrize(
    ("sql", "kind", "traits", "sqlstate", "hazard"),
    [
        ('ALTER TABLE "shop_order" ADD COLUMN "n" integer NOT NULL', "AddField", set(), "23502", "H18"),
        (
            'ALTER TABLE "shop_order" ADD COLUMN "u" uuid DEFAULT $1 NOT NULL UNIQUE',
            "AddField",
            {"unique", "callable default"},
            "23505",
            "H21",
        ),
        (
            'ALTER TABLE "shop_order" ADD COLUMN "u" int DEFAULT $1 NOT NULL UNIQUE',
            "AddField",
            {"unique"},
            "23505",
            "H08",
        ),
        ('ALTER TABLE "shop_order" ADD CONSTRAINT "c" CHECK ("n" > $1)', "AddConstraint", set(), "23514", "H10"),
        (KEY, "AlterField", set(), "23503", "H13"),
        ('ALTER TABLE "shop_order" ALTER COLUMN "n" SET NOT NULL', "AlterField", set(), "23502", "H17"),
    ],
)
def test_failure_is_told_by_one_hazard(sql: str, kind: str, traits: set[str], sqlstate: str, hazard: str) -> None:
    step = statement(sql, 0.0, 0.1, sqlstate=sqlstate)
    observations = observed([operation(0, kind)], [step], traits={0: traits}, error=error(sqlstate))
    assert ids(observations) == [(hazard, "failure")]


def test_pending_trigger_events_name_what_was_changed_before() -> None:
    steps = [
        statement('UPDATE "shop_order" SET "customer_id" = $1', 0.0, 0.1, lock("shop_order", RX, 0, 200), rows=900),
        statement('ALTER TABLE "shop_order" ADD COLUMN "a" int NULL', 0.1, 0.0, operation=1, sqlstate="55006"),
    ]
    operations = [operation(0, "RunPython"), operation(1, "AddField", name="a", field="IntegerField")]
    [finding] = judge(observed(operations, steps, error=error("55006")), BUDGET)
    assert (finding.hazard, finding.severity, finding.operation) == ("H43", "failure", 1)
    assert finding.evidence.summary == "Checks of 900 rows of shop_order changed before are pending (SQLSTATE 55006)."
