"""Several tables on their way at once, the biggest first, beside pg_restore with the rest; and how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres import restoring
from greenroom.postgres.children import nameless, running
from greenroom.postgres.copying.rows import Move, Road, check, moving
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.restoring import Stored
from greenroom.postgres.server import connect

POLL_SECONDS = 0.01
TELL_SECONDS = 0.5


def move(road: Road, tables: list[Table], stored: Stored, progress: Progress) -> None:
    """Bring the rows of `tables` over, and with pg_restore those that are in the archive. Raises GreenroomError.

    Whatever fails ends all the others: half a copy is none.
    """
    meter = Meter(road, tables, progress)
    waiting, may_empty = list(tables), road.allowed_to_empty(tables)
    with ExitStack() as others:
        others.callback(meter.close)
        finish_rest = _start_rest(others, road, stored, progress)
        under_way: list[tuple[Move, ExitStack]] = []
        while waiting or under_way:
            while waiting and len(under_way) < restoring.jobs():
                table = waiting.pop(0)
                own = others.enter_context(ExitStack())
                under_way.append((own.enter_context(moving(road, table, emptied=table.quoted in may_empty)), own))
            for one in [one for one in under_way if one[0].ended()]:
                check(one[0], road)
                one[1].close()
                under_way.remove(one)
                meter.arrived(one[0].table)
            meter.show([one.table for one, _ in under_way])
            time.sleep(POLL_SECONDS)
        finish_rest()


def _start_rest(stack: ExitStack, road: Road, stored: Stored, progress: Progress) -> Callable[[], None]:
    """Start pg_restore for the rows that are in the archive; the result waits for its end, and judges it."""
    said = stack.enter_context(nameless())
    words = restoring.section_words(stored, road.target, road.client, "data")
    child = stack.enter_context(running(words, env=road.target.environment, stderr=said, **restoring.inherited(stored)))

    def finish() -> None:
        child.wait()
        said.seek(0)
        restoring.watch(said, road.target, progress, restoring.cut_off_in(stored.name))
        restoring.refuse_silent_failure(child, road.target)

    return finish


class Meter:
    """How many bytes of the big tables have arrived, how fast, and how long the rest will take."""

    def __init__(self, road: Road, tables: list[Table], progress: Progress) -> None:
        self._road, self._progress = road, progress
        self._total = sum(table.bytes for table in tables)
        self._done = 0
        self._began = self._told = time.monotonic()
        self._connection: psycopg.Connection | None = None

    def arrived(self, table: Table) -> None:
        """One is complete."""
        self._done += table.bytes

    def show(self, under_way: list[Table]) -> None:
        """Tell, when the last telling is old enough."""
        now = time.monotonic()
        if now - self._told < TELL_SECONDS:
            return
        self._told = now
        done = self._done + self._half_way(under_way)
        rate = done / (now - self._began)
        left = f", {(self._total - done) / rate:.0f} s left" if rate else ""
        names = ", ".join(str(table) for table in under_way)
        self._progress.detail(f"{done / 1e6:.0f} of {self._total / 1e6:.0f} MB · {rate / 1e6:.1f} MB/s{left} · {names}")

    def close(self) -> None:
        """Leave the target: a session there would be in the way of what comes next."""
        if self._connection:
            self._connection.close()

    def _half_way(self, under_way: list[Table]) -> int:
        """Bytes of the running ones, as far as the target tells; a table is never more than whole."""
        sizes = {table.quoted: table.bytes for table in under_way}
        return sum(min(bytes_, sizes.get(name, 0)) for name, bytes_ in self._told_by_target().items())

    def _told_by_target(self) -> dict[str, int]:
        try:
            if self._connection is None:
                self._connection = connect(self._road.target.address)
            rows = self._connection.execute(
                "SELECT quote_ident(nspname) || '.' || quote_ident(relname), bytes_processed "
                "FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.datname = current_database()"
            )
            return dict(rows.fetchall())
        except (psycopg.Error, GreenroomError):
            return {}  # those who move the rows notice a server that is gone, and say so
