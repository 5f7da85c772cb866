"""The session on the source that holds one snapshot for everything that reads, and keeps the big tables from changing.

It cannot write. Its locks are those that pg_dump takes: they let everybody read and write, and keep DROP, TRUNCATE and
rewriting ALTERs waiting until the rows have been read; and whoever comes after such an ALTER.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres.address import Address
from greenroom.postgres.copying.tables import Table, movable
from greenroom.postgres.lock_wait import patiently
from greenroom.postgres.server import connect

MOST_NAMED = 5


@dataclass(frozen=True)
class Reading:
    """One transaction: `snapshot` is the name under which others see what it sees; `encoding` is the database's."""

    connection: psycopg.Connection
    snapshot: str
    encoding: str
    address: Address

    def movable(self, least: int, excluded: Iterable[tuple[str, str]], progress: Progress) -> list[Table]:
        """`tables.movable`; one waits for a table that is locked even to ask for its size. Raises GreenroomError."""
        return patiently(self.connection, self.address, progress, lambda: movable(self.connection, least, excluded))

    def hold_still(self, tables: Sequence[Table], progress: Progress) -> None:
        """Lock the tables as pg_dump does, and see that none was emptied or rewritten since the snapshot.

        TRUNCATE and rewrites are not transactional for those who look back: an older snapshot sees an empty table.
        Raises GreenroomError.
        """
        if not tables:
            return
        names = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
        try:
            words = sql.SQL("LOCK TABLE ONLY {} IN ACCESS SHARE MODE").format(names)
            patiently(self.connection, self.address, progress, lambda: self.connection.execute(words))
        except psycopg.errors.InsufficientPrivilege as error:
            raise unreadable(self.connection, self.address, tables) from error
        except psycopg.errors.UndefinedTable as error:
            raise _changed(self.address) from error
        rows = self.connection.execute(
            "SELECT oid FROM pg_class WHERE oid = ANY (%s) AND relfilenode <> pg_relation_filenode(oid)",
            [[table.oid for table in tables]],
        ).fetchall()
        if rows:
            raise _changed(self.address)


@contextmanager
def reading(address: Address) -> Iterator[Reading]:
    """A read-only transaction on the source, open for as long as the block lasts. Raises GreenroomError."""
    with connect(address, read_only=True) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot(), current_setting('server_encoding')").fetchone()
        assert row is not None
        try:
            yield Reading(connection, row[0], row[1], address)
        finally:
            with shielded():
                connection.close()


def unreadable(connection: psycopg.Connection, address: Address, tables: Sequence[Table]) -> GreenroomError:
    """Which table the role may not read."""
    connection.execute("ROLLBACK")
    names = {table.oid: table for table in tables}
    rows = connection.execute(
        "SELECT oid FROM unnest(%s::oid[]) AS oid WHERE NOT has_table_privilege(oid, 'SELECT')", [list(names)]
    ).fetchall()
    denied = sorted(str(names[oid]) for (oid,) in rows)
    shown = ", ".join(denied[:MOST_NAMED]) or "a table"
    more = f" and {len(denied) - MOST_NAMED} more" if len(denied) > MOST_NAMED else ""
    return GreenroomError(
        f"{address.user} may not read {shown}{more} of {address.database} on {address.server}.",
        "Use a role that may read everything (GRANT pg_read_all_data), or leave its rows out with exclude_data.",
    )


def _changed(address: Address) -> GreenroomError:
    return GreenroomError(
        f"a table of {address.database} was dropped, emptied or rewritten in the moment the copy began.",
        "A deployment may be running there: try again in a minute.",
    )
