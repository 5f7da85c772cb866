"""Waiting for a table of the source that somebody has locked: for a while, in short turns, and telling it.

Whoever waits in a queue makes others wait behind him: each turn leaves the queue again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address

LOCK_WAIT_SECONDS = 60.0
TURN_SECONDS = 2.0
T = TypeVar("T")


def patiently(connection: psycopg.Connection, source: Address, progress: Progress, work: Callable[[], T]) -> T:
    """What `work` gives, which asks the source over `connection`; it is done again when it met a locked table.

    It runs in a transaction of its own, or in a savepoint of the one that is open. Raises GreenroomError after
    LOCK_WAIT_SECONDS.
    """
    began = time.monotonic()
    while True:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = {max(1, int(TURN_SECONDS * 1000))}".encode())
                return work()
        except psycopg.errors.LockNotAvailable as error:
            waited = time.monotonic() - began
            if waited >= LOCK_WAIT_SECONDS:
                raise waited_for_lock(source) from error
            progress.detail(f"waiting for a locked table of {source.database}, {waited:.0f} of {LOCK_WAIT_SECONDS:g} s")


def waited_for_lock(source: Address) -> GreenroomError:
    """The error for a table that stayed locked."""
    return GreenroomError(
        f"a table of {source.database} on {source.server} stayed locked for {LOCK_WAIT_SECONDS:g} s: an ALTER TABLE, "
        "VACUUM FULL or the like runs there, or waits itself.",
        "Run again when it is over; who it is: SELECT pid, state, query FROM pg_stat_activity JOIN pg_locks USING "
        "(pid) WHERE mode = 'AccessExclusiveLock'",
    )
