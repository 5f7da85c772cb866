"""Is there room for a copy? Asked before anything is dumped: a disk that fills up in the middle hurts others too.

What a copy needs is estimated from the source's size: restored rows take no more room than they did, and an archive of
them is compressed. PostgreSQL itself has no function that tells how much of a disk is free.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from greenroom.config import PostgresTarget
from greenroom.errors import GreenroomError

ARCHIVE_SHARE = 0.5  # of the data: with indexes left out and rows compressed, an archive is rarely larger
BRANCH_SHARE = 1.2  # of the data: the copy, and the files that sort for its indexes; its WAL comes on top


@dataclass(frozen=True)
class Room:
    """Free bytes of a server's disk, and how that is known. `unseen` are databases whose size the role may not see."""

    free: int
    how: str
    unseen: tuple[str, ...] = ()


def size_to_copy(connection: psycopg.Connection, excluded: Sequence[str]) -> int:
    """Bytes of the connected database without these tables (`schema.table`, as `masking.excluded` gives them)."""
    row = connection.execute(
        """
        SELECT pg_database_size(current_database()) - coalesce(sum(pg_total_relation_size(given::regclass)), 0)::bigint
        FROM unnest(%s::text[]) AS given
        """,
        [list(excluded)],
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return int(row[0])


def size_to_mask(connection: psycopg.Connection, masked: Iterable[tuple[str, str]], excluded: Sequence[str]) -> int:
    """Bytes of the largest of these tables (schema and name) with all its parts, without those that stay there."""
    schemas, names = zip(*masked, strict=True) if (masked := list(masked)) else ((), ())
    row = connection.execute(
        """
        WITH RECURSIVE family AS (
            SELECT c.oid AS root, c.oid FROM unnest(%s::text[], %s::text[]) AS given (schema, name)
            JOIN pg_namespace n ON n.nspname = given.schema
            JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
            UNION
            SELECT root, inhrelid FROM family JOIN pg_inherits ON inhparent = family.oid)
        SELECT coalesce(max(size), 0)::bigint FROM (
            SELECT sum(pg_table_size(oid)) AS size FROM family
            WHERE oid NOT IN (SELECT stays::regclass FROM unnest(%s::text[]) AS stays) GROUP BY root) AS families
        """,
        [list(schemas), list(names), list(excluded)],
    ).fetchone()
    assert row is not None, "an aggregate has a row"
    return int(row[0])


def refuse_too_small(size_bytes: int, *, archive: Path | None, data: Path | None, rewritten_bytes: int = 0) -> None:
    """Whether this machine has room: `archive` is the directory of the dump, `data` of the copy; None: not here.

    `rewritten_bytes` is of the largest masked table (`size_to_mask`), which is written twice more. Directories on one
    file system share its room. Raises GreenroomError with both figures.
    """
    needs = [(archive, int(size_bytes * ARCHIVE_SHARE)), (data, size_bytes + 2 * rewritten_bytes)]
    wanted: dict[int, tuple[Path, int]] = {}
    for directory, octets in needs:
        if directory is not None:
            device = directory.stat().st_dev
            first, before = wanted.get(device, (directory, 0))
            wanted[device] = (first, before + octets)
    for directory, octets in wanted.values():
        free = free_bytes(directory)
        if free < octets:
            raise GreenroomError(
                f"{directory} has {told(free)} free, and the copy needs about {told(octets)} there.",
                "Make room, set TMPDIR to another disk, restore elsewhere (--server) or copy less (exclude_data).",
            )


def refuse_no_room_on_server(
    connection: psycopg.Connection, target: PostgresTarget, size_bytes: int, *, rewritten_bytes: int = 0
) -> list[str]:
    """Whether the server has room for a second copy of `size_bytes`. Returns notes on what could not be known.

    `rewritten_bytes` is as above: masks come before there are indexes to sort for. Raises GreenroomError with both
    figures.
    """
    label = f"{target.host}:{target.port}"
    notes = _standbys(connection, label, size_bytes)
    room = server_room(connection, target.disk_gb)
    if room is None:
        return [
            *notes,
            f"whether the disk of {label} has room for a second copy ({told(size_bytes)}) could not be checked: "
            "disk_gb in the target's table tells how large it is",
        ]
    needed = max(int(size_bytes * BRANCH_SHARE), size_bytes + 2 * rewritten_bytes) + _most_wal(connection)
    if room.free < needed:
        also = "what masks write anew" if rewritten_bytes else "its sort files"
        raise GreenroomError(
            f"{label} has {told(room.free)} free ({room.how}), and a branch needs about {told(needed)} there, for the "
            f"copy, its WAL and {also}; others use that disk.",
            "Leave --remote out (the copy is then made here), copy less (exclude_data), or make room there.",
        )
    unseen = f"{target.user} may not see the size of {', '.join(room.unseen)}: counted as nothing in the server's room"
    return [*notes, *([unseen] if room.unseen else [])]


def server_room(connection: psycopg.Connection, disk_gb: float | None = None) -> Room | None:
    """Free room for the connected server's data; None where it cannot be known.

    On this machine the file system tells it. Else `disk_gb`, the whole disk in 10^9 bytes, less all databases and WAL.
    """
    directory = _directory_here(connection)
    if directory is not None:
        return Room(free_bytes(directory), "as its file system says")
    if disk_gb is None:
        return None
    used, unseen = _used(connection)
    return Room(max(0, int(disk_gb * 1e9) - used), f"disk_gb = {disk_gb:g} less all databases and WAL", unseen)


def free_bytes(directory: Path) -> int:
    """What an ordinary process may still write there."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def told(octets: int) -> str:
    """`12.3 GB`, `450 MB`: powers of 1000."""
    return f"{octets / 1e9:,.1f} GB" if octets >= 1e9 else f"{octets / 1e6:,.0f} MB"


def _directory_here(connection: psycopg.Connection) -> Path | None:
    """The data directory, where the server is a process of this machine and may be asked for it.

    An address proves nothing: 127.0.0.1 may be a tunnel or a container. The backend's own process does, by the title
    that PostgreSQL gives it.
    """
    try:
        with connection.transaction():
            row = connection.execute("SELECT pg_backend_pid(), current_setting('data_directory')").fetchone()
        assert row is not None, "a SELECT of two values has a row"
        title = Path(f"/proc/{row[0]}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        here = f"{connection.info.user} {connection.info.dbname} " in title and title.startswith("postgres: ")
        return Path(row[1]) if here and os.statvfs(row[1]) else None
    except (psycopg.errors.InsufficientPrivilege, OSError):
        return None


def _standbys(connection: psycopg.Connection, label: str, size_bytes: int) -> list[str]:
    """A note where some follow the server, as far as the role sees it: to others a session's state is NULL."""
    row = connection.execute(
        """
        SELECT count(*) FROM pg_stat_replication WHERE state IN ('catchup', 'streaming')
        AND pid NOT IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active)
        """
    ).fetchone()
    if row is None or row[0] == 0:
        return []
    followed = "a standby follows" if row[0] == 1 else f"{row[0]} standbys follow"
    return [f"{followed} {label}: the branch ({told(size_bytes)}) and its WAL go there too, and are not counted there"]


def _used(connection: psycopg.Connection) -> tuple[int, tuple[str, ...]]:
    """Bytes of all databases and WAL; and the databases whose size this role may not see."""
    rows = connection.execute(
        """
        SELECT datname, CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
                             THEN pg_database_size(oid) END
        FROM pg_database ORDER BY datname
        """
    ).fetchall()
    unseen = tuple(name for name, size in rows if size is None)
    return sum(size or 0 for _name, size in rows) + _wal(connection), unseen


def _wal(connection: psycopg.Connection) -> int:
    """Bytes of WAL on disk; where the role may not list them, as many as there are meant to be at most."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()").fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return _most_wal(connection)
    return int(row[0]) if row else 0


def _most_wal(connection: psycopg.Connection) -> int:
    """max_wal_size, in bytes."""
    row = connection.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))").fetchone()
    return int(row[0]) if row else 0
