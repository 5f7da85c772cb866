"""How many bytes of the tables have arrived, how fast, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.arriving import far
from greenroom.postgres.copying.rows import Load
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.server import connect

TELL_SECONDS = 0.5
_UNDER_WAY = """
SELECT nspname, relname, bytes_processed FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.datname = current_database()
"""


@dataclass
class Meter:
    """Sizes are those on the source; how far a running table is, the target tells."""

    progress: Progress
    total: int
    connection: psycopg.Connection | None
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0
    done: int = 0

    def arrived(self, load: Load) -> None:
        """One is complete."""
        self.done += load.bytes

    def show(self, under_way: Sequence[Load]) -> None:
        """Tell, when the last telling is old enough."""
        now = time.monotonic()
        if now - self.told < TELL_SECONDS:
            return
        self.told = now
        done = self.done + self._half_way(under_way)
        self.progress.detail(" · ".join([far(done, self.total, now - self.began), ", ".join(map(str, under_way))]))

    def _half_way(self, under_way: Sequence[Load]) -> int:
        """A table is never more than whole: its rows may be longer on the way than they are on disk."""
        told = self._told_by_target() if under_way else {}
        tables = [table for load in under_way for table in load.tables]
        return sum(min(told.get(table.relation, 0), table.bytes) for table in tables)

    def _told_by_target(self) -> dict[tuple[str, str], int]:
        if self.connection is None:
            return {}
        try:
            rows = self.connection.execute(_UNDER_WAY).fetchall()
        except psycopg.Error:  # those who move the rows notice a server that is gone, and say so
            self.connection = None
            return {}
        return {(schema, name): count for schema, name, count in rows}


@contextmanager
def metering(target: Address, tables: Sequence[Table], progress: Progress) -> Iterator[Meter]:
    """A meter with a session of its own on the target."""
    total = sum(table.bytes for table in tables)
    try:
        connection = connect(target)
    except GreenroomError:
        yield Meter(progress, total, None)
        return
    with connection:
        yield Meter(progress, total, connection)
