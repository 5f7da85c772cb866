"""The write-ahead log of a server of ours, made to forget: rows that were masked stood in it as they had been."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from greenroom.errors import GreenroomError

SEGMENTS = 10_000  # more than a server that loads can have written ahead


def forget(connection: psycopg.Connection) -> None:
    """Leave no segment that was written before, in use or kept for use. For a superuser in autocommit.

    A checkpoint renames the segments that it needs no longer, and their content stays until it is written over:
    here it removes them. Those that were renamed before are used up: the segment that stays is one that did not lie
    there when the server came to it. Raises GreenroomError where something holds them, such as a replication slot.
    """
    with _removing(connection):
        for _ in range(SEGMENTS):
            before = _names(connection)
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
            current = _current(connection)
            if _names(connection) == [current] and current not in before:
                return
    raise GreenroomError("the copy's server does not let go of its old write-ahead log.", "Run again, without --keep.")


@contextmanager
def _removing(connection: psycopg.Connection) -> Iterator[None]:
    """Checkpoints remove segments and rename none, for as long as the block lasts."""
    connection.execute("ALTER SYSTEM SET wal_recycle = off")
    connection.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        connection.execute("ALTER SYSTEM RESET wal_recycle")
        connection.execute("SELECT pg_reload_conf()")


def _current(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn() + 1)").fetchone()
    assert row is not None
    return str(row[0])


def _names(connection: psycopg.Connection) -> list[str]:
    """Of all segments that lie there."""
    rows = connection.execute("SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY name")
    return [name for (name,) in rows]
