"""Probes: what they ask, when an answer is a wait, and what a row that is held looks like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from psycopg import pq

from greenroom.postgres.address import Address
from greenroom.rehearsal.probes import BURST, Kind, Probe, Prober, Table

LINE = Table("public", "line", rows=("(0,1)", "(9,2)"))


class Wire:
    """A channel whose answers the test gives."""

    def __init__(self) -> None:
        self.busy, self.in_failed_transaction = False, False
        self.sent: list[bytes] = []
        self.answer: list[Any] = []

    def send(self, query: bytes) -> None:
        self.busy = True
        self.sent.append(query)

    def receive(self) -> list[Any]:
        self.busy = False
        return self.answer


def refused(state: str) -> list[Any]:
    return [SimpleNamespace(status=pq.ExecStatus.FATAL_ERROR, error_field=lambda _: state.encode())]


def probing(kind: Kind, table: Table = LINE) -> tuple[Prober, Probe, Any]:
    wire: Any = Wire()
    probe = Probe(table, kind, wire)
    prober = Prober(Address("localhost", 5432, "copy", "somebody"), [table])
    prober._probes = [probe]
    return prober, probe, wire


def asked(prober: Prober, probe: Probe, at: float, seconds: float) -> None:
    prober.fire(at)
    prober.arrived(probe, at + seconds)


def test_query_quotes_every_name() -> None:
    _, probe, _ = probing("write", Table("od%d", 'we"ird %s'))
    assert probe.query == b'BEGIN; LOCK TABLE ONLY "od%d"."we""ird %s" IN ROW EXCLUSIVE MODE; ROLLBACK'


def test_query_of_rows_never_waits_for_one() -> None:
    _, probe, _ = probing("row")
    assert probe.query == (
        b"BEGIN; SELECT 1 FROM ONLY \"public\".\"line\" WHERE ctid = ANY(ARRAY['(0,1)', '(9,2)']::tid[])"
        b" FOR NO KEY UPDATE NOWAIT; ROLLBACK"
    )


def test_wait_is_told_from_the_way_to_a_far_server() -> None:
    prober, probe, _ = probing("read")
    for at in (10.0, 11.0, 12.0):
        asked(prober, probe, at, 0.08)
    assert prober.waits == []
    asked(prober, probe, 13.0, 0.9)
    assert [(wait.kind, wait.sent, wait.done) for wait in prober.waits] == [("read", 13.0, 13.9)]


def test_wait_of_two_milliseconds_is_seen_nearby() -> None:
    prober, probe, _ = probing("write")
    asked(prober, probe, 10.0, 0.0001)
    asked(prober, probe, 11.0, 0.002)
    assert [round(wait.done - wait.sent, 4) for wait in prober.waits] == [0.002]


def test_probe_that_waits_at_the_end_has_waited_until_then() -> None:
    prober, _, _ = probing("read")
    prober.fire(10.0)
    prober.finish(12.5)
    assert [(wait.sent, wait.done) for wait in prober.waits] == [(10.0, 12.5)]


def test_rows_are_held_from_the_first_refusal_to_the_first_answer() -> None:
    prober, probe, wire = probing("row")
    prober.fire(10.0)
    assert wire.sent == []  # nothing is being written
    prober.writing = True
    wire.answer = refused("55P03")
    asked(prober, probe, 11.0, 0.001)
    asked(prober, probe, 12.0, 0.001)
    prober.writing, wire.answer = False, []
    asked(prober, probe, 13.0, 0.001)
    assert [(wait.kind, wait.sent, wait.done) for wait in prober.waits] == [("row", 11.0, 13.001)]


def test_refused_transaction_is_rolled_back_before_the_next_probe() -> None:
    prober, probe, wire = probing("read")
    wire.answer, wire.in_failed_transaction = refused("42P01"), True
    asked(prober, probe, 10.0, 0.001)
    assert wire.sent[-1] == b"ROLLBACK"
    assert probe.gone
    assert prober.waiting(20.0) == []


def test_rate_of_all_probes_is_bounded() -> None:
    prober, probe, _ = probing("read")
    wires: list[Any] = [Wire() for _ in range(200)]
    prober._probes = [Probe(probe.table, "read", wire) for wire in wires]
    prober.fire(0.0)
    assert sum(len(wire.sent) for wire in wires) == BURST
