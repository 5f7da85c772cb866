"""Several tables on their way at once, the biggest first, beside pg_restore with what is left for it."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from greenroom.console import Progress
from greenroom.postgres import restoring
from greenroom.postgres.children import nameless, running
from greenroom.postgres.copying.meter import Meter, metering
from greenroom.postgres.copying.rows import Load, Move, Road, check, may_empty, moving
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.restoring import Stored
from greenroom.postgres.speakers import alone
from greenroom.shell import Popen

POLL_SECONDS = 0.003
SHARED_BYTES, SHARED_TABLES = 32_000_000, 200  # as long as a big table, and as many as an argv bears


def loads(tables: Sequence[Table], big_bytes: int) -> list[Load]:
    """What each pair of sessions moves, the largest load first: a big table, or many smaller ones."""
    big = [Load((table,)) for table in tables if table.bytes >= big_bytes]
    small = [table for table in tables if table.bytes < big_bytes]
    least = max(sum(table.bytes for table in small) // SHARED_BYTES, len(small) // SHARED_TABLES) + 1
    number = max(least, restoring.jobs())
    shared = [Load(tuple(share)) for share in _even(small, number) if share]
    return sorted([*big, *shared], key=lambda load: load.bytes, reverse=True)


def _even(tables: Sequence[Table], number: int) -> list[list[Table]]:
    """So many shares of about as many bytes: the largest table first, each to the least share that is not full."""
    shares = [list[Table]() for _ in range(number)]
    open_ones = [(0, place) for place in range(number)]
    for table in sorted(tables, key=lambda table: table.bytes, reverse=True):
        size, place = heapq.heappop(open_ones)
        shares[place].append(table)
        if len(shares[place]) < SHARED_TABLES:
            heapq.heappush(open_ones, (size + table.bytes, place))
    return shares


def move(road: Road, loads: list[Load], stored: Stored, progress: Progress) -> None:
    """Bring the rows of all `loads` over, and with pg_restore those that are in the archive. Raises GreenroomError.

    Whatever fails ends all the others: half a copy is none.
    """
    tables = [table for load in loads for table in load.tables]
    with (
        metering(road.target.address, tables, progress) as meter,
        _rest(road, stored, progress) as (rest, judge),
        ExitStack() as moves,
    ):
        pool = _Pool(road, list(loads), may_empty(road.target, tables), meter, moves)
        while pool.busy() or rest.poll() is None:
            pool.turn()
            time.sleep(POLL_SECONDS)
        judge()


@dataclass
class _Pool:
    road: Road
    waiting: list[Load]
    emptied: set[Table]
    meter: Meter
    moves: ExitStack
    most: int = field(default_factory=restoring.jobs)
    under_way: list[tuple[Move, ExitStack]] = field(default_factory=list)

    def busy(self) -> bool:
        return bool(self.waiting or self.under_way)

    def turn(self) -> None:
        """Take leave of those that have arrived, and let the next ones go."""
        for one in [one for one in self.under_way if one[0].ended()]:
            check(one[0], self.road)
            one[1].close()
            self.under_way.remove(one)
            self.meter.arrived(one[0].load)
        while self.waiting and len(self.under_way) < self.most:
            self._start(self.waiting.pop(0))
        self.meter.show([move.load for move, _ in self.under_way])

    def _start(self, load: Load) -> None:
        own = self.moves.enter_context(ExitStack())
        self.under_way.append((own.enter_context(moving(self.road, load, self.emptied)), own))


@contextmanager
def _rest(road: Road, stored: Stored, progress: Progress) -> Iterator[tuple[Popen[bytes], Callable[[], None]]]:
    """pg_restore with the rows that are in the archive; the second result judges how it ended."""
    words = restoring.section_words(stored, road.target, road.client, "data")
    with (
        nameless() as said,
        running(words, env=road.target.environment, stderr=said, **restoring.inherited(stored)) as child,
    ):

        def judge() -> None:
            said.seek(0)
            restoring.watch(alone(said), road.target, progress, restoring.cut_off_in(stored.name))
            restoring.refuse_silent_failure(child, road.target)

        yield child, judge
