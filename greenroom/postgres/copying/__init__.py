"""A live database into an empty one, in one snapshot: pg_dump and pg_restore for everything odd, COPY for the bulk.

- `source`   the session that holds the snapshot, and what must not change beneath it
- `tables`   which tables are big, and whether their rows may travel in binary
- `rows`     moving the rows of one table: a COPY here, a COPY there, a pipe between
- `pool`     several at once, the biggest first
- `meter`    how far they are

The result is what `pg_dump | pg_restore` makes. pg_dump writes an archive without the rows of the big tables; these go
from server to server by themselves, while no index is there yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenroom.console import Progress
from greenroom.postgres import dumping, restoring, sections
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless
from greenroom.postgres.copying import pool, source, tables
from greenroom.postgres.copying.rows import Road
from greenroom.postgres.restoring import Stored, Target
from greenroom.postgres.server import patient

BIG_BYTES = 8_000_000  # a table from here on is worth two programs of its own


def copy_database(
    source_address: Address,
    target: Target,
    client: Binaries,
    progress: Progress,
    *,
    exclude_data: Sequence[str] = (),
    before_indexes: Callable[[], None] | None = None,
    big_bytes: int = BIG_BYTES,
) -> None:
    """Copy a database, which is only read, into the empty one of `target`. Raises GreenroomError.

    `exclude_data` are tables, `schema.table`, that come without rows; a partitioned one stands for its partitions.
    `before_indexes` is called when all rows are there, and no index, constraint or trigger is yet. Tables of
    `big_bytes` or more (heap and TOAST) are moved one by one, the others by pg_dump.
    """
    with nameless() as file:
        stored = Stored.nameless(file.fileno(), f"the archive of {source_address.database}")
        with source.reading(source_address) as reading:
            left_out = tables.without_rows(reading.connection, exclude_data)
            able = client.program("psql").exists()
            big = reading.big_tables(big_bytes, left_out, progress) if able else []
            reading.hold_still(big, progress)
            without = [*left_out, *(table.relation for table in big)]
            how = {"compress": dumping.UNCOMPRESSED, "snapshot": reading.snapshot}
            dumping.dump_into(file, source_address, client, progress, without, **how)
            if big:
                restoring.restore_section(stored, target, client, progress, "pre-data")
                without_timeouts = patient(source_address, reading.connection.info.server_version)
                road = Road(without_timeouts, target, client, reading.snapshot, reading.encoding)
                pool.move(road, big, stored, progress)
        if not big:
            sections.restore_stored(stored, target, client, progress, before_indexes)
            return
        if before_indexes:
            before_indexes()
        sections.restore_post_data(stored, target, client, progress)
