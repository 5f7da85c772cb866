"""Moving the rows of tables: psql reads on the source, psql writes on the target, a pipe between them.

A big table has the two for itself, and may travel in binary: then a server of ours reads the pipe by itself. Small ones
follow one another as text, whose end can be marked within a stream.

No row passes through this process. Both say no more than an SQLSTATE: the server's words can quote rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless, psql, running, words_in
from greenroom.postgres.copying.pipe import Pipe, pipe
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.restoring import Target, disk_full, lost
from greenroom.postgres.server import connect, only_reading
from greenroom.shell import Popen

CONNECTION_LOST = 2  # psql's exit code
LAST_WORDS_SECONDS = 5.0  # of a writer whose reader has failed
_SQLSTATE = re.compile(r"(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})\s*$", re.MULTILINE)
_MISREAD = "22"  # the class of what COPY says of a stream that ends in the middle
_DONE = "moved"
_DENIED = "42501"
_SHUT_DOWN = ("57P01", "57P02", "57P03")  # by its administrator, by a crash, or it is not up again yet
# as pg_dump and pg_restore have it, so that a value reads and sounds the same at both ends
_ALIKE = (
    "SET search_path = ''; SET row_security = off; SET xmloption = content; "
    "SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; SET client_encoding = {encoding}"
)
_END_OF_TABLE = r"\echo '\\.'"  # what ends COPY FROM STDIN in psql, where the stream goes on
_TELL_DONE = rf"\warn {_DONE}"
_READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {snapshot}"


@dataclass(frozen=True)
class Road:
    """From where to where, in which snapshot; `encoding` is the source database's, and what both sides speak.

    `source` is for sessions without timeouts.
    """

    source: Address
    target: Target
    client: Binaries
    snapshot: str
    encoding: str


@dataclass(frozen=True)
class Load:
    """What one pair of sessions moves: a table, or several that follow one another."""

    tables: tuple[Table, ...]

    @property
    def bytes(self) -> int:
        """On the source."""
        return sum(table.bytes for table in self.tables)

    @property
    def shared(self) -> bool:
        """Whether the ends of tables must be marked in the stream."""
        return len(self.tables) > 1

    @property
    def binary(self) -> bool:
        """Whether it travels in binary, of which even no rows make some bytes."""
        return not self.shared and self.tables[0].binary

    def __str__(self) -> str:
        return f"{len(self.tables)} small tables" if self.shared else str(self.tables[0])


@dataclass
class Move:
    """A load on its way."""

    load: Load
    reader: Popen[bytes]
    writer: Popen[bytes]
    pipe: Pipe
    said: tuple[BinaryIO, BinaryIO] = field(repr=False)
    failed_at: float | None = None

    def ended(self) -> bool:
        """Whether both are done, well or not; the network may have taken both, and a writer hopes on for minutes."""
        read, written = self.reader.poll(), self.writer.poll()
        self.pipe.tend(read, written)
        if read is None or written is not None:
            return read is not None
        if read == 0:
            return False
        self.failed_at = self.failed_at or time.monotonic()
        return time.monotonic() - self.failed_at > LAST_WORDS_SECONDS


def may_empty(target: Target, tables: list[Table]) -> set[Table]:
    """Those that the target's role may empty: what is loaded after TRUNCATE needs no log, and comes frozen."""
    with connect(target.address) as connection:
        rows = connection.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE has_table_privilege(name, 'TRUNCATE')",
            [[table.quoted for table in tables]],
        ).fetchall()
    allowed = {name for (name,) in rows}
    return {table for table in tables if table.quoted in allowed}


@contextmanager
def moving(road: Road, load: Load, emptied: Container[Table]) -> Iterator[Move]:
    """Rows, on their way for as long as the block lasts; `emptied` are the tables that the role may TRUNCATE."""
    reading, writing = only_reading(road.source), road.target.writing
    with (
        pipe(road.target.data if load.binary else None) as way,
        nameless() as read,
        nameless() as written,
        running(
            _psql(road.client, reading, _reading(road, load)),
            env=road.source.password_environment,
            stdout=way.mouth,
            stderr=read,
        ) as reader,
        running(
            _psql(road.client, writing, _writing(road, load, emptied, way.origin)),
            env=road.target.environment,
            stdin=way.ear,
            stdout=written,
            stderr=written,
        ) as writer,
    ):
        way.handed_over()
        yield Move(load, reader, writer, way, (read, written))


def check(move: Move, road: Road) -> None:
    """Raises GreenroomError when the rows did not all arrive: the end of a stream alone does not say that."""
    if move.reader.returncode == 0 and move.writer.returncode == 0:
        return
    read, written = (_sqlstate(file) for file in move.said)
    source_is_gone = move.reader.returncode == CONNECTION_LOST and (written is None or written.startswith(_MISREAD))
    if read or source_is_gone:
        raise _not_read(_failed(move, move.said[0]), road, read)
    raise _not_written(_failed(move, move.said[1]), road, written)


def _failed(move: Move, said: BinaryIO) -> Table:
    """The one after those that are marked as done."""
    done = words_in(said).splitlines().count(_DONE)
    return move.load.tables[min(done, len(move.load.tables) - 1)]


def _not_read(table: Table, road: Road, sqlstate: str | None) -> GreenroomError:
    where = f"{road.source.database} on {road.source.server}"
    if sqlstate == _DENIED:
        return GreenroomError(
            f"{road.source.user} may not read every row of {table} of {where}.",
            "Use a role that may read everything (GRANT pg_read_all_data; with row security, one with BYPASSRLS).",
        )
    if sqlstate in (None, *_SHUT_DOWN):
        return GreenroomError(
            f"{where} went away, or takes no more connections, while {table} was read.",
            "Is the VPN still on, and does the server run? Then run again.",
        )
    return GreenroomError(f"{table} of {where} cannot be read: SQLSTATE {sqlstate}.", "The server's log says more.")


def _not_written(table: Table, road: Road, sqlstate: str | None) -> GreenroomError:
    if full := disk_full(road.target, sqlstate=sqlstate):
        return full
    if sqlstate in (None, *_SHUT_DOWN):
        return lost(road.target)
    return GreenroomError(
        f"the rows of {table} cannot be written on {road.target.label}: SQLSTATE {sqlstate}.",
        "Restored by hand with pg_dump --table, the server says why in its own words, which can quote rows.",
    )


def _psql(client: Binaries, address: Address, commands: list[str]) -> list[str | Path]:
    return psql(client, address, "--set=ON_ERROR_STOP=1", *(f"--command={command}" for command in commands))


def _reading(road: Road, load: Load) -> list[str]:
    words = [_alike(road), _READ_ONLY.format(snapshot=sql.Literal(road.snapshot).as_string())]
    for table in load.tables:
        words.append(f"COPY {table.quoted} ({table.column_list}) TO STDOUT{_options(load)}")
        words += [_END_OF_TABLE, _TELL_DONE] if load.shared else []
    return [*words, "COMMIT"]


def _writing(road: Road, load: Load, emptied: Container[Table], origin: str) -> list[str]:
    words = [_alike(road), "BEGIN"]
    for table in load.tables:
        words += [f"TRUNCATE ONLY {table.quoted}"] if table in emptied else []
        options = _options(load, *(["FREEZE"] if table in emptied else []))
        words.append(f"COPY {table.quoted} ({table.column_list}) FROM {origin}{options}")
        words += [_TELL_DONE] if load.shared else []
    return [*words, "COMMIT"]


def _options(load: Load, *more: str) -> str:
    return " ({})".format(", ".join([f"FORMAT {'binary' if load.binary else 'text'}", *more]))


def _alike(road: Road) -> str:
    return _ALIKE.format(encoding=sql.Literal(road.encoding).as_string())


def _sqlstate(said: BinaryIO) -> str | None:
    found = _SQLSTATE.findall(words_in(said))
    return found[0] if found else None
