"""Stalls: how long a client of a table would have stood still, from what the probes felt and from the locks.

Two sources, and each says where it stands. A probe *measures*; but it may have been asleep when a short lock came, and
not every table is probed. The locks' intervals are exact about what was locked when, and *derive* a stall: the wait of
a client that comes at the worst moment. A blocked interval is measured when a probe waited through at least half of it,
otherwise derived. A wait that no lock explains counts too, from UNEXPLAINED_MS on and when the server has said
that it waited for a lock: a statement that failed, or waited in the queue until it was stopped, left none to be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from greenroom.rehearsal.document import Blocked, Lock, MigrationRun, Stall
from greenroom.rehearsal.probes import Wait

UNEXPLAINED_MS = 20.0


@dataclass(frozen=True)
class Interval:
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Size:
    rows: int | None
    size_bytes: int | None


def stalls(runs: list[MigrationRun], waits: list[Wait], start: float, sizes: dict[str, Size]) -> list[Stall]:
    """One Stall a table that was blocked or on which a probe waited; the longest first.

    `start` is time.monotonic() at the moment from which the runs count; `waits` are on that clock.
    """
    locks: dict[str, list[Lock]] = defaultdict(list)
    felt: dict[str, list[Wait]] = defaultdict(list)
    for lock in _blocking(runs):
        locks[lock.table].append(lock)
    for wait in waits:
        felt[wait.table].append(wait)
    tables = locks.keys() | felt.keys()
    found = [_stall(table, runs, locks[table], felt[table], start, sizes.get(table)) for table in tables]
    return sorted((s for s in found if s.blocked), key=lambda s: (-max(s.read_ms, s.write_ms), s.table))


def _stall(
    table: str, runs: list[MigrationRun], locks: list[Lock], waits: list[Wait], start: float, size: Size | None
) -> Stall:
    blocked: list[Blocked] = []
    for kind in ("read", "write"):
        held = [
            Interval(lock.acquired_s, lock.acquired_s + lock.held_ms / 1000)
            for lock in locks
            if (lock.blocks_reads if kind == "read" else lock.blocks_writes)
        ]
        blocked += _match(merged(held), [wait for wait in waits if wait.kind == kind], start, kind)
    rows = [Interval(wait.sent - start, wait.done - start) for wait in waits if wait.kind == "row"]
    blocked += [_blocked(interval, "row", derived=False) for interval in rows]
    for entry in blocked:
        entry.migration = _running(runs, entry)
    blocked.sort(key=lambda entry: (entry.from_s, entry.to_s))
    read = _longest(entry for entry in blocked if entry.reads)
    write = _longest(entry for entry in blocked if entry.writes)
    row = _longest(entry for entry in blocked if entry.rows_only)
    longest = max(filter(None, (read, write)), key=_ms, default=None)
    return Stall(
        table=table,
        read_ms=_ms(read),
        write_ms=_ms(write),
        row_ms=_ms(row),
        derived=bool(longest and longest.derived),
        rows=size.rows if size else None,
        size_bytes=size.size_bytes if size else None,
        blocked=blocked,
    )


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Overlapping intervals as one each, in order of time.

    Two that only adjoin stay two: between two transactions the client that has queued gets its turn.
    """
    result: list[Interval] = []
    for interval in sorted(intervals, key=lambda i: i.start):
        if result and interval.start < result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, interval.end))
        else:
            result.append(interval)
    return result


def _match(held: list[Interval], waits: list[Wait], start: float, kind: str) -> list[Blocked]:
    blocked = []
    felt = [Interval(wait.sent - start, wait.done - start) for wait in waits]
    for interval in held:
        # a lock that is released is waited for no longer: what comes after that is a probe without a processor
        ended = (Interval(wait.start, min(wait.end, interval.end)) for wait in felt if wait.overlaps(interval))
        longest = max(ended, key=lambda wait: wait.seconds, default=None)
        measured = longest is not None and longest.seconds >= interval.seconds / 2
        blocked.append(_blocked(longest if measured and longest else interval, kind, derived=not measured))
    seen = [interval for interval, wait in zip(felt, waits, strict=True) if wait.witnessed]
    alone = [wait for wait in seen if not any(wait.overlaps(interval) for interval in held)]
    return blocked + [_blocked(w, kind, derived=False) for w in alone if w.seconds * 1000 >= UNEXPLAINED_MS]


def _blocked(interval: Interval, kind: str, *, derived: bool) -> Blocked:
    return Blocked(
        from_s=interval.start,
        to_s=interval.end,
        reads=kind == "read",
        writes=kind != "read",
        rows_only=kind == "row",
        derived=derived,
    )


def _running(runs: list[MigrationRun], entry: Blocked) -> str | None:
    """The migration that ran during most of the interval."""

    def shared(run: MigrationRun) -> float:
        begin = run.started_s or 0.0
        return min(entry.to_s, begin + run.seconds) - max(entry.from_s, begin)

    run = max(runs, key=shared, default=None)
    return f"{run.app}.{run.name}" if run and shared(run) > 0 else None


def _blocking(runs: list[MigrationRun]) -> list[Lock]:
    return [
        lock
        for run in runs
        for statement in run.statements
        for lock in statement.locks
        if lock.blocks_reads or lock.blocks_writes
    ]


def _longest(entries: Iterable[Blocked]) -> Blocked | None:
    return max(entries, key=lambda entry: entry.to_s - entry.from_s, default=None)


def _ms(entry: Blocked | None) -> float:
    return round((entry.to_s - entry.from_s) * 1000, 3) if entry else 0.0
