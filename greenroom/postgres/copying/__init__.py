"""A live database into an empty one, in one snapshot: pg_dump and pg_restore for everything odd, COPY for the bulk.

- `source`   the session that holds the snapshot, and what must not change beneath it
- `tables`   which tables move by COPY, and whether their rows may travel in binary
- `rows`     moving the rows of a table, or of many small ones: a COPY here, a COPY there, a pipe between
- `pipe`     that pipe; a server of ours reads it by itself, by its name
- `pool`     several at once, the biggest first
- `meter`    how far they are

The result is what `pg_dump | pg_restore` makes. pg_dump writes an archive without the rows of the tables that can move
by COPY; these go from server to server by themselves, while no index is there yet. `begun` has the archive, which tells
of the schema, before there is a target; `finish` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from greenroom.console import Progress
from greenroom.postgres import dumping, restoring, sections
from greenroom.postgres.address import Address
from greenroom.postgres.archive import of_database
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless
from greenroom.postgres.copying import pool, source, tables
from greenroom.postgres.copying.rows import Road
from greenroom.postgres.copying.source import Reading
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.restoring import Stored, Target
from greenroom.postgres.server import patient

BIG_BYTES = 8_000_000  # a table from here on is worth two programs of its own; below, many share them
LEAST_BYTES = 1  # an empty one has no rows to move


@dataclass(frozen=True)
class Begun:
    """An archive without the rows of `moved`, of the snapshot that `reading` holds."""

    source: Address
    client: Binaries
    reading: Reading
    moved: list[Table]
    stored: Stored


def copy_database(
    source_address: Address,
    target: Target,
    client: Binaries,
    progress: Progress,
    *,
    exclude_data: Sequence[str] = (),
    options: Sequence[str] = (),
    before_indexes: Callable[[], None] | None = None,
    big_bytes: int = BIG_BYTES,
    least_bytes: int = LEAST_BYTES,
) -> None:
    """Copy a database, which is only read, into the empty one of `target`. Raises GreenroomError.

    `exclude_data` are tables, `schema.table`, that come without rows; a partitioned one stands for its partitions.
    `options` are of `dumping.leaving`.
    `before_indexes` is called when all rows are there, and no index, constraint or trigger is yet. Tables of
    `big_bytes` or more (heap and TOAST) are moved one by one, many smaller ones by each pair of sessions, and those of
    less than `least_bytes` by pg_dump.
    """
    with nameless() as file:
        stored = Stored.nameless(file.fileno(), of_database(source_address.database))
        with begun(
            source_address,
            client,
            file,
            stored,
            progress,
            exclude_data=exclude_data,
            options=options,
            least_bytes=least_bytes,
        ) as copy:
            finish(copy, target, progress, before_indexes, big_bytes=big_bytes)


@contextmanager
def begun(
    source_address: Address,
    client: Binaries,
    file: BinaryIO,
    stored: Stored,
    progress: Progress,
    *,
    exclude_data: Sequence[str] = (),
    options: Sequence[str] = (),
    least_bytes: int = LEAST_BYTES,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[Begun]:
    """Write the archive into `file`, which `stored` names, and hold its snapshot until the rows have been moved.

    That is as long as the block lasts at most. `meanwhile` is called while pg_dump writes. Raises GreenroomError.
    """
    with source.reading(source_address) as reading:
        left_out = tables.without_rows(reading.connection, exclude_data)
        able = client.program("psql").exists()
        moved = reading.movable(least_bytes, left_out, progress) if able else []
        reading.hold_still(moved, progress)
        without = [*left_out, *(table.relation for table in moved)]
        dumping.dump_into(
            file,
            source_address,
            client,
            progress,
            without,
            compress=dumping.UNCOMPRESSED,
            snapshot=reading.snapshot,
            encoding=reading.encoding,
            options=options,
            meanwhile=meanwhile,
        )
        yield Begun(source_address, client, reading, moved, stored)


def finish(
    copy: Begun,
    target: Target,
    progress: Progress,
    before_indexes: Callable[[], None] | None = None,
    *,
    big_bytes: int = BIG_BYTES,
) -> None:
    """Schema, rows, and what is built on them, into the empty database of `target`. Raises GreenroomError."""
    sections.restore_pre_data(copy.stored, target, copy.client, progress)
    if copy.moved:
        without_timeouts = patient(copy.source, copy.reading.connection.info.server_version)
        road = Road(without_timeouts, target, copy.client, copy.reading.snapshot, copy.reading.encoding)
        pool.move(road, pool.loads(copy.moved, big_bytes), copy.stored, progress)
    else:
        restoring.restore_section(copy.stored, target, copy.client, progress, "data", jobs=restoring.jobs())
    copy.reading.connection.close()
    if before_indexes:
        before_indexes()
    sections.restore_post_data(copy.stored, target, copy.client, progress)
