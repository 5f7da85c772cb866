"""Looking from outside: whose locks an answer shows, and which tables a statement names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from psycopg import pq

from greenroom.rehearsal.poller import LockPoller, SizeWatch, named


class Wire:
    """A channel whose answer the test gives."""

    def __init__(self, *answer: tuple[str, ...]) -> None:
        self.busy = False
        self.answer = answer

    def send(self, _: bytes) -> None:
        self.busy = True

    def receive(self) -> list[Any]:
        self.busy = False
        rows = self.answer
        return [
            SimpleNamespace(
                status=pq.ExecStatus.TUPLES_OK,
                ntuples=len(rows),
                nfields=len(rows[0]) if rows else 0,
                get_value=lambda row, column: rows[row][column].encode(),
            )
        ]


class Noted:
    """The recorder's side of it."""

    def __init__(self) -> None:
        self.locks: list[tuple[str, str, float, float]] = []

    def polled(self, *lock: Any) -> None:
        self.locks.append(lock)


def test_locks_are_handed_over_from_the_first_look_to_the_last() -> None:
    wire: Any = Wire(("public.line", "ShareUpdateExclusiveLock"))
    poller, noted = LockPoller(wire), Noted()
    poller.begin(7, 10.0)
    poller.fire(10.0)
    poller.arrived(10.1)
    poller.fire(11.0)
    poller.arrived(11.1)
    poller.end(noted, 11.2)  # type: ignore[arg-type]
    assert noted.locks == [("public.line", "ShareUpdateExclusiveLock", 10.0, 11.1)]


def test_late_answer_is_not_put_on_the_next_statement() -> None:
    wire: Any = Wire(("public.line", "ShareUpdateExclusiveLock"))
    poller, noted = LockPoller(wire), Noted()
    poller.begin(7, 10.0)
    poller.fire(10.0)
    poller.end(noted, 10.1)  # type: ignore[arg-type]
    poller.begin(7, 10.2)
    poller.arrived(10.3)
    poller.end(noted, 10.4)  # type: ignore[arg-type]
    assert noted.locks == []


def test_answer_after_the_end_is_of_the_next_statement() -> None:
    wire: Any = Wire(("public.line", "ShareUpdateExclusiveLock"))
    poller, noted = LockPoller(wire), Noted()
    poller.begin(7, 10.0)
    poller.fire(10.0)
    poller.arrived(10.1)
    wire.answer = (("public.line", "ShareUpdateExclusiveLock"), ("public.django_migrations", "RowExclusiveLock"))
    poller.fire(10.2)
    poller.arrived(10.4)
    poller.end(noted, 10.3)  # type: ignore[arg-type]
    assert noted.locks == [("public.line", "ShareUpdateExclusiveLock", 10.0, 10.1)]


def test_size_keeps_its_peak() -> None:
    wire: Any = Wire(("900",))
    sizes = SizeWatch(wire, before=100, latest=100, peak=100)
    sizes.fire(1.0)
    sizes.arrived(1.01)
    wire.answer = (("300",),)
    sizes.fire(3.0)
    sizes.arrived(3.01)
    assert (sizes.before, sizes.latest, sizes.peak) == (100, 300, 900)


def test_named_finds_tables_of_every_schema() -> None:
    tables = {"shop_line", "other.shop_note", "shop_order"}
    assert named('ALTER TABLE "other"."shop_note" RENAME TO "x"; LOCK shop_line', tables) == {
        "shop_line",
        "other.shop_note",
    }
