"""The verdict, and the sentences that it gives for it."""

from __future__ import annotations

from typing import Literal

import pytest

from greenroom.rehearsal.document import (
    Drill,
    DrillName,
    Finding,
    Left,
    LeftColumn,
    LeftIndex,
    RehearsalError,
    VerdictName,
)
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.observations import Observations
from greenroom.rehearsal.verdict import decide
from tests.rehearsal.observed import BUDGET, RX, lock, observed, operation, stall, statement

Status = Literal["passed", "failed", "not run", "broken off"]
HARMLESS = [operation(0, "AddField")]


def decided(observations: Observations) -> tuple[VerdictName, list[str]]:
    findings: list[Finding] = judge(observations, BUDGET)
    return decide(observations, findings, BUDGET)


def test_no_pending_migrations_pass() -> None:
    nothing = observed([], [])
    nothing.plan.migrations.clear()
    assert decided(nothing) == ("pass", ["There are no pending migrations: nothing to rehearse."])


def test_nobody_waits_passes() -> None:
    assert decided(observed(HARMLESS, [])) == ("pass", ["The migration was applied, and nobody had to wait."])


def test_short_stall_passes_with_its_figures() -> None:
    answer = decided(observed(HARMLESS, [], stalls=[stall("shop_order", 0.0, 6.2)]))
    assert answer == (
        "pass",
        ["The migration was applied; no reader waits longer than 6.2 ms, no writer longer than 6.2 ms."],
    )


def test_who_does_not_wait_is_not_given_a_figure() -> None:
    answer = decided(observed(HARMLESS, [], stalls=[stall("shop_order", 0.0, 6.2, reads=False)]))
    assert answer == ("pass", ["The migration was applied; no reader waits, no writer longer than 6.2 ms."])


@pytest.mark.parametrize(
    ("ms", "verdict", "reasons"),
    [
        (200, "pass", ["The migration was applied; no reader waits longer than 200 ms, no writer longer than 200 ms."]),
        (300, "warn", ["Readers of shop_order stand still for 300 ms: more than a fifth of the 1.0 s budget."]),
        (
            1500,
            "fail",
            [
                "Readers of shop_order stand still for 1.5 s: the budget is 1.0 s.",
                "Writers of shop_order stand still for 1.5 s: more than a fifth of the 2.0 s budget.",
            ],
        ),
        (
            4000,
            "fail",
            [
                "Readers of shop_order stand still for 4.0 s: the budget is 1.0 s.",
                "Writers of shop_order stand still for 4.0 s: the budget is 2.0 s.",
            ],
        ),
    ],
)
def test_stall_against_the_budget(ms: float, verdict: str, reasons: list[str]) -> None:
    assert decided(observed(HARMLESS, [], stalls=[stall("shop_order", 0.0, ms)])) == (verdict, reasons)


@pytest.mark.parametrize(
    ("name", "status", "answer"),
    [
        ("old-release", "passed", "pass"),
        ("old-release", "not run", "pass"),
        ("old-release", "broken off", "warn"),
        ("old-release", "failed", "fail"),
        ("crash", "broken off", "warn"),
        ("crash", "failed", "warn"),
    ],
)
def test_drill_that_was_not_passed(name: DrillName, status: Status, answer: str) -> None:
    drill = Drill(name=name, status=status, reason="The server went away.")
    verdict, reasons = decide(observed(HARMLESS, []), [], BUDGET, [drill])
    assert verdict == answer
    told = f"Drill {name} could not be held to its end: The server went away."
    assert (told in reasons) == (status == "broken off")


def test_longest_stall_comes_first() -> None:
    stalls = [stall("shop_colour", 0.0, 2500, reads=False), stall("shop_order", 0.0, 9000, reads=False)]
    assert decided(observed(HARMLESS, [], stalls=stalls)) == (
        "fail",
        [
            "Writers of shop_order stand still for 9.0 s: the budget is 2.0 s.",
            "Writers of shop_colour stand still for 2.5 s: the budget is 2.0 s.",
        ],
    )


def test_rows_that_no_probe_met_count_too() -> None:
    update = statement('UPDATE "shop_order" SET "a" = $1', 0.0, 3.0, lock("shop_order", RX, 0.0, 3000), rows=300_000)
    assert decided(observed([operation(0, "RunPython")], [update])) == (
        "fail",
        ["Writers of changed rows of shop_order stand still for 3.0 s: the budget is 2.0 s."],
    )


def test_no_way_back_warns() -> None:
    assert decided(observed([operation(0, "RunPython", reversible=False)], [])) == (
        "warn",
        ["shop.0002_change cannot be taken back, so nothing of shop can go back."],
    )


def test_what_the_release_before_will_meet_warns() -> None:
    left = Left(
        invalid_indexes=[LeftIndex(table="shop_order", index="order_total")],
        required_columns=[LeftColumn(table="shop_order", column="vip")],
    )
    assert decided(observed(HARMLESS, [], left=left)) == (
        "warn",
        [
            "The release before cannot insert into shop_order: "
            "it does not know vip, which is NOT NULL and has no default.",
            "The index order_total on shop_order was left invalid.",
        ],
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            RehearsalError(
                kind="migration failed",
                exception="django.db.utils.IntegrityError",
                sqlstate="23505",
                migration="shop.0002_change",
                table="shop_order",
            ),
            "shop.0002_change failed with IntegrityError (SQLSTATE 23505) on shop_order.",
        ),
        (
            RehearsalError(kind="migration failed", exception="ValueError", migration="shop.0002_change"),
            "shop.0002_change failed with ValueError.",
        ),
        (
            RehearsalError(
                kind="timeout", migration="shop.0002_change", waiting_for="AccessExclusiveLock on shop_order, held by a"
            ),
            "shop.0002_change did not end in time and was stopped while it waited for AccessExclusiveLock on"
            " shop_order, held by a.",
        ),
        (
            RehearsalError(kind="agent died", migration="shop.0002_change"),
            "The app's process ended in the middle of shop.0002_change.",
        ),
    ],
)
def test_failure_comes_before_every_stall(error: RehearsalError, reason: str) -> None:
    verdict, reasons = decided(observed(HARMLESS, [], stalls=[stall("shop_order", 0.0, 9000)], error=error))
    assert (verdict, reasons[0], len(reasons)) == ("fail", reason, 3)
