"""The two phases of a server of ours: fast while data is loaded, true when it is measured.

True means durable, with autovacuum, with PostgreSQL's own memory, and with what the source has set.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

LOADING = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",  # rows copied into a table of the same transaction are not logged
    "wal_skip_threshold": "64kB",  # fewer are logged after all: to sync a table looks through all of shared_buffers
    "max_wal_senders": "0",
    "shared_buffers": "128MB",  # rows go through a ring of pages; each further page that a session touches is a fault
    "max_wal_size": "32GB",
    "checkpoint_timeout": "1d",
}
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "autovacuum": "on",
    "wal_level": "replica",
}
MOST_BYTES = 1 << 30
LEAST_BYTES = 64 << 20
LOADING_SHARE = 8  # several sessions build indexes at once
SOURCE_SHARE = 4
BUSY_PROCESSORS = 2  # with the sessions that load; a parallel worker of one would only take them from another

_MEMORY = {  # the setting, and the kB that a bare number counts
    "autovacuum_work_mem": 1,
    "maintenance_work_mem": 1,
    "shared_buffers": 8,
    "temp_buffers": 8,
    "work_mem": 1,
}
_BYTES = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SESSION = ("user", "superuser")


@dataclass
class TakenOver:
    """Settings of a source that hold here; `told` says of the others, by name, that they do not.

    `harmless` are those that every session could set for itself: none of them keeps a server from starting.
    """

    settings: dict[str, str] = field(default_factory=dict)
    harmless: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def daring(self) -> list[str]:
        """Names of the others: with one of these too large a server does not start."""
        return [name for name in self.settings if name not in self.harmless]


def loading(memory_bytes: int | None = None, processors: int | None = None) -> dict[str, str]:
    """Of a server that data is loaded into, on a machine of so much memory and so many processors (None: this one)."""
    share = (machine_bytes() if memory_bytes is None else memory_bytes) // LOADING_SHARE
    spare = ((os.cpu_count() or 1) if processors is None else processors) - BUSY_PROCESSORS
    return {
        **LOADING,
        "maintenance_work_mem": f"{max(LEAST_BYTES, min(MOST_BYTES, share)) >> 10}kB",
        "max_parallel_workers": str(max(0, spare)),
    }


def taken_over(connection: psycopg.Connection, wanted: Mapping[str, str], memory_bytes: int | None = None) -> TakenOver:
    """Which of the source's settings this server takes, asked of it; nothing is set yet.

    Sizes of memory are cut to a quarter of what the machine has (`memory_bytes`; None: of this one).
    """
    found = TakenOver()
    contexts: dict[str, str] = dict(connection.execute("SELECT lower(name), context FROM pg_settings").fetchall())
    for name, asked in wanted.items():
        value = capped(name, asked, machine_bytes() if memory_bytes is None else memory_bytes)
        if name.lower() not in contexts or not _accepted(connection, name, value):
            found.told.append(name)
            continue
        found.settings[name] = value
        if contexts[name.lower()] in _SESSION:
            found.harmless[name] = value
        if value != asked:
            found.told.append(f"{name} ({value} here)")
    return found


def capped(name: str, value: str, memory_bytes: int) -> str:
    """The value, or a quarter of the memory where it is a size of memory and larger."""
    unit = _MEMORY.get(name.lower())
    match = re.fullmatch(r"\s*(\d+)\s*(B|kB|MB|GB|TB)?\s*", value)
    if unit is None or match is None:
        return value
    size = int(match[1]) * (_BYTES[match[2]] if match[2] else unit << 10)
    most = memory_bytes // SOURCE_SHARE
    return value if size <= most else f"{most >> 20}MB"


def machine_bytes() -> int:
    """Of memory that this process may use: the machine's, or less where a control group says so."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # `max` is no number
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return found


def _accepted(connection: psycopg.Connection, name: str, value: str) -> bool:
    """ALTER SYSTEM checks a value as the server's start would, and sets nothing before that."""
    try:
        connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    except psycopg.Error:
        return False
    connection.execute(sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name)))
    return True
