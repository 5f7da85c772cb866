"""Stalls from waits and locks: which figure is measured, which derived, and when a client's wait begins and ends."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Lock, MigrationRun, Statement
from greenroom.rehearsal.probes import Wait
from greenroom.rehearsal.stalls import Interval, Size, merged, stalls

START = 1000.0


def a_lock(table: str, acquired_s: float, held_ms: float, *, reads: bool = True) -> Lock:
    mode = "AccessExclusiveLock" if reads else "ShareLock"
    return Lock(table=table, mode=mode, acquired_s=acquired_s, held_ms=held_ms, blocks_reads=reads, blocks_writes=True)


def a_run(*locks: Lock, name: str = "0002", started_s: float = 0.0, seconds: float = 10.0) -> MigrationRun:
    statement = Statement(
        sql="ALTER TABLE x", started_s=0, seconds=1, longest_seconds=1, transaction=0, locks=list(locks)
    )
    return MigrationRun(
        app="shop", name=name, started_s=started_s, seconds=seconds, status="applied", statements=[statement]
    )


def a_wait(table: str, kind: str, from_s: float, to_s: float, *, witnessed: bool = True) -> Wait:
    return Wait(table, kind, START + from_s, START + to_s, witnessed)  # type: ignore[arg-type]


def test_stall_measured_when_a_probe_waited_through_the_lock() -> None:
    [stall] = stalls([a_run(a_lock("line", 1.0, 2000))], [a_wait("line", "read", 1.01, 3.0)], START, {})
    assert stall.read_ms == pytest.approx(1990)
    assert [entry.derived for entry in stall.blocked if entry.reads] == [False]


def test_stall_ends_with_the_lock_though_the_probe_hears_late() -> None:
    [stall] = stalls([a_run(a_lock("line", 1.0, 100))], [a_wait("line", "read", 1.01, 1.5)], START, {})
    [reading] = [entry for entry in stall.blocked if entry.reads]
    assert (stall.read_ms, reading.derived) == (pytest.approx(90), False)


def test_stall_derived_when_no_probe_met_the_lock() -> None:
    [stall] = stalls([a_run(a_lock("line", 1.0, 2.5))], [], START, {"line": Size(40, 8192)})
    assert (stall.read_ms, stall.write_ms, stall.derived) == (2.5, 2.5, True)
    assert (stall.rows, stall.size_bytes) == (40, 8192)


def test_stall_derived_when_the_probe_came_late() -> None:
    """A probe that slept through most of a lock measured something else than the wait at the worst moment."""
    [stall] = stalls([a_run(a_lock("line", 1.0, 100))], [a_wait("line", "read", 1.09, 1.1)], START, {})
    assert (stall.read_ms, stall.derived) == (100, True)


def test_stall_share_lock_blocks_writers_alone() -> None:
    [stall] = stalls([a_run(a_lock("line", 0, 800, reads=False))], [], START, {})
    assert (stall.read_ms, stall.write_ms) == (0, 800)


def test_stall_without_a_lock_counts_when_the_server_has_witnessed_it() -> None:
    """A statement that failed while it waited in the queue left no lock to be read, but others had queued behind it."""
    short, long = a_wait("line", "read", 1, 1.01), a_wait("order", "read", 1, 1.5)
    starved = a_wait("customer", "read", 1, 1.5, witnessed=False)
    [stall] = stalls([a_run()], [short, long, starved], START, {})
    assert (stall.table, stall.read_ms, stall.derived) == ("order", 500, False)


def test_stall_of_rows_is_a_stall_of_writers() -> None:
    [stall] = stalls([a_run()], [a_wait("line", "row", 2, 5)], START, {})
    assert (stall.row_ms, stall.write_ms, stall.read_ms) == (3000, 3000, 0)


def test_stall_belongs_to_the_migration_that_ran_then() -> None:
    early = a_run(name="0002", seconds=1.0)
    late = a_run(a_lock("line", 2.0, 500), name="0003", started_s=1.5, seconds=2.0)
    [stall] = stalls([early, late], [], START, {})
    assert {entry.migration for entry in stall.blocked} == {"shop.0003"}


def test_stalls_longest_first() -> None:
    run = a_run(a_lock("a", 0, 10), a_lock("b", 0, 30), a_lock("c", 0, 20))
    assert [stall.table for stall in stalls([run], [], START, {})] == ["b", "c", "a"]


def test_merged_joins_what_overlaps_and_leaves_what_adjoins() -> None:
    overlapping = [Interval(0, 2), Interval(1, 3)]
    assert merged([*overlapping, Interval(3, 4)]) == [Interval(0, 3), Interval(3, 4)]
