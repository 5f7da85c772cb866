"""Hazards of changed rows: under whose lock, how many at once, for how long."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.hazards import judge
from tests.rehearsal.observed import AX, BUDGET, RX, ids, lock, observed, operation, statement


def test_backfill_under_a_lock_is_not_also_an_unbatched_one() -> None:
    steps = [
        statement('ALTER TABLE "shop_order" ADD COLUMN "a" int NULL', 0.0, 0.001, lock("shop_order", AX, 0.0, 2500)),
        statement(
            'UPDATE "shop_order" SET "a" = $1', 0.1, 2.3, lock("shop_order", RX, 0.1, 2400), rows=300_000, operation=1
        ),
    ]
    operations = [operation(0, "AddField", name="a", field="IntegerField"), operation(1, "RunPython")]
    [finding] = judge(observed(operations, steps), BUDGET)
    assert (finding.hazard, finding.severity, finding.operation) == ("H41", "failure", 1)
    assert finding.evidence.read_ms == 2500


@pytest.mark.parametrize(("rows", "found"), [(300_000, ["H42"]), (30_000, ["H42"]), (29_000, []), (900, [])])
def test_backfill_is_unbatched_from_a_tenth_of_the_table(rows: int, found: list[str]) -> None:
    update = statement('UPDATE "shop_order" SET "a" = $1', 0.0, 1.0, lock("shop_order", RX, 0.0, 1000), rows=rows)
    findings = judge(observed([operation(0, "RunPython")], [update]), BUDGET)
    assert [finding.hazard for finding in findings] == found


@pytest.mark.parametrize(("rows", "held_ms", "found"), [(3000, 6700, ["H42"]), (3000, 1900, []), (900, 6700, [])])
def test_rows_that_are_held_for_long_are_no_batch(rows: int, held_ms: float, found: list[str]) -> None:
    """One by one in one transaction, as a loop of savepoints does."""
    update = 'UPDATE "shop_order" SET "a" = $1 WHERE "id" = $2'
    step = statement(update, 0.0, held_ms / 1000, lock("shop_order", RX, 0.0, held_ms), rows=rows)
    findings = judge(observed([operation(0, "RunPython")], [step]), BUDGET)
    assert [finding.hazard for finding in findings if finding.hazard == "H42"] == found


def test_batches_in_transactions_of_their_own_are_no_finding() -> None:
    update = 'UPDATE "shop_order" SET "a" = $1 WHERE "id" > $2'
    batches = [
        statement(update, number / 10, 0.1, lock("shop_order", RX, number / 10, 100), rows=5_000, transaction=number)
        for number in range(60)
    ]
    assert ids(observed([operation(0, "RunPython")], batches)) == []
