"""How much of the rows has been read or written, how fast, and how long the rest takes: within one table too.

pg_dump and pg_restore tell only where they begin; how far a COPY is, the server on which it runs tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect

ASK_SECONDS = 1.0
COPY_TELLS = 140000  # pg_stat_progress_copy is there from here on
_UNDER_WAY = """
SELECT n.nspname || '.' || c.relname, p.bytes_processed FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.datname = current_database()
"""


class Arriving:
    """Bytes of rows, by `sizes` of `schema.table`: of those that are complete, and of those under way as far as known.

    `packed`: so many bytes of a COPY are one of `sizes`, where these are of compressed rows.
    """

    def __init__(
        self, sizes: Mapping[str, int], connection: psycopg.Connection | None = None, *, packed: float = 1.0
    ) -> None:
        self.total = sum(sizes.values())
        self._sizes, self._connection, self._packed = sizes, connection, packed
        self._complete: set[str] = set()
        self._running: list[str] = []
        self._began = time.monotonic()
        self._asked = float("-inf")
        self._copied: dict[str, int] = {}

    def begins(self, table: str, *, alone: bool = True) -> None:
        """Its rows are under way; `alone`: then those of the table before it are complete."""
        if table in self._complete or table in self._running:
            return
        if alone:
            self._complete.update(self._running)
            self._running.clear()
        self._running.append(table)

    def ends(self, name: str) -> None:
        """One is complete: `name` is without its schema."""
        found = next((table for table in self._running if table.endswith(f".{name}")), None)
        if found:
            self._running.remove(found)
            self._complete.add(found)

    @property
    def bytes(self) -> int:
        """A table is never more than whole: its rows may be longer on the way than they are on disk."""
        self._ask()
        done = sum(self._sizes.get(table, 0) for table in self._complete)
        return done + sum(
            min(int(self._copied.get(table, 0) / self._packed), self._sizes.get(table, 0)) for table in self._running
        )

    @property
    def share(self) -> float:
        """0 to 1; 0 where the sizes are not known."""
        return self.bytes / self.total if self.total else 0.0

    def told(self) -> str:
        """`812 of 4000 MB · 40 MB/s · 80 s left`; nothing where the sizes are not known."""
        return far(self.bytes, self.total, time.monotonic() - self._began) if self.total else ""

    def _ask(self) -> None:
        now = time.monotonic()
        if self._connection is None or not self._running or now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        try:
            self._copied |= self._connection.execute(_UNDER_WAY).fetchall()  # of one that has ended, what it was last
        except psycopg.Error:  # those who move the rows notice a server that is gone, and say so
            self._connection = None


@contextmanager
def arriving(
    sizes: Mapping[str, int], address: Address, *, read_only: bool = False, packed: float = 1.0
) -> Iterator[Arriving]:
    """With a session of its own on the server that tells, where one can be had and there is anything to tell."""
    connection = _asking(address, read_only) if sizes else None
    try:
        yield Arriving(sizes, connection, packed=packed)
    finally:
        if connection:
            connection.close()


def far(done: int, total: int, seconds: float) -> str:
    """Bytes, rate and time left."""
    rate = done / seconds if seconds else 0.0
    left = f" · {max(0, total - done) / rate:.0f} s left" if rate else ""
    return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB · {rate / 1e6:.0f} MB/s{left}"


def _asking(address: Address, read_only: bool) -> psycopg.Connection | None:
    try:
        connection = connect(address, read_only=read_only)
    except GreenroomError:
        return None
    if connection.info.server_version >= COPY_TELLS:
        return connection
    connection.close()
    return None
