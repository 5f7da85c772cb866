"""Clients that sit in a transaction: one a table, with a lock that the migration has to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect

Kind = Literal["reader", "writer"]

Strike = Callable[[psycopg.Connection, int], None]

POLL_SECONDS = 0.02
JOIN_SECONDS = 10.0
_MODES: dict[Kind, str] = {"reader": "ACCESS SHARE", "writer": "ROW EXCLUSIVE"}
_PATIENT = " ".join(
    f"-c {name}=0"
    for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
)
# `waitstart` tells one wait from the next; it is NULL for a moment at the start of each
_BLOCKED = """
SELECT a.pid, s, (SELECT min(l.waitstart) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted)
FROM pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) s
WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND s = ANY(%s)
"""
_MATERIALIZED = "SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'm'"


@dataclass
class Wait:
    """One wait of the migration for a sitter; `until` is None as long as it lasts."""

    pid: int
    started: datetime | None
    since: float
    until: float | None = None

    def is_same(self, pid: int, started: datetime | None) -> bool:
        """Whether this is what was seen: the server tells when a wait began, though not at once."""
        self.started = self.started or started
        return self.until is None and self.pid == pid and started in (None, self.started)


@dataclass
class Sitter:
    """Holds an ordinary client's lock on a table. Seconds are of time.monotonic()."""

    table: str
    kind: Kind
    connection: psycopg.Connection = field(repr=False)
    waits: list[Wait] = field(default_factory=list)
    until: float | None = None

    @property
    def since(self) -> float | None:
        """When somebody began to wait for it; None: nobody has."""
        return self.waits[0].since if self.waits else None

    @property
    def seconds(self) -> float:
        """The longest that somebody waited for it without a break."""
        now = self.until or time.monotonic()
        return max(((wait.until or now) - wait.since for wait in self.waits), default=0.0)

    @property
    def times_given_up(self) -> int:
        """Waits that ended while it still sat there."""
        return sum(wait.until is not None for wait in self.waits)

    def met(self, pid: int, started: datetime | None, now: float) -> bool:
        """Somebody is seen waiting for it; true when that is a new wait."""
        if self.waits and self.waits[-1].is_same(pid, started):
            return False
        self.alone(now)
        self.waits.append(Wait(pid, started, now))
        return True

    def alone(self, now: float) -> None:
        """Nobody waits for it."""
        if self.waits and self.waits[-1].until is None:
            self.waits[-1].until = now

    def leave(self) -> None:
        """End the transaction; the session ends with it."""
        if not self.connection.closed:
            self.until = time.monotonic()
            self.connection.close()


class Company:
    """All sitters, looked after by a thread: each leaves when somebody has waited long enough for it."""

    def __init__(self, admin: Address, sitters: list[Sitter], hold: float, strike: Strike | None, leave: bool) -> None:
        self.sitters = sitters
        self.lost = False  # nobody looked after them any more: the server was gone, or had no session to give
        self._admin, self._hold, self._strike, self._leave = admin, hold, strike, leave
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="sitters", daemon=True)
        self._thread.start()

    @property
    def blocking(self) -> Sitter | None:
        """The one that somebody waits for, or waited for in vain, and that has not left."""
        waited = [sitter for sitter in self.here if sitter.waits]
        return max(waited, key=lambda sitter: sitter.waits[-1].since, default=None)

    @property
    def here(self) -> list[Sitter]:
        """Those that have not left."""
        return [sitter for sitter in self.sitters if not sitter.connection.closed]

    def close(self) -> None:
        """Everybody leaves."""
        self._over.set()
        self._thread.join(JOIN_SECONDS)
        for sitter in self.sitters:
            sitter.leave()

    def _look_after(self) -> None:
        try:
            with connect(self._admin) as connection:
                while not self._over.wait(POLL_SECONDS):
                    self._look(connection)
        except (psycopg.Error, GreenroomError):
            self.lost = True
            for sitter in self.sitters:  # or whoever waits for them would wait for ever
                sitter.leave()

    def _look(self, connection: psycopg.Connection) -> None:
        here = {sitter.connection.info.backend_pid: sitter for sitter in self.here}
        blocked = connection.execute(_BLOCKED, [list(here)]).fetchall()
        now = time.monotonic()
        for pid, sitting, started in blocked:
            first = not here[sitting].waits
            if here[sitting].met(pid, started, now) and first and self._strike:
                self._strike(connection, pid)
        for number in here.keys() - {sitting for _, sitting, _ in blocked}:
            here[number].alone(now)
        for sitter in here.values():
            if sitter.since is not None and (self._leave or now - sitter.since >= self._hold):
                sitter.leave()


@contextmanager
def sitting(
    admin: Address,
    tables: Mapping[str, Kind],
    hold: float,
    strike: Strike | None = None,
    *,
    leave: bool = False,
) -> Iterator[Company]:
    """A client on each of these tables, until somebody has waited `hold` seconds for it, or the block ends.

    `strike` is called, with a session beside it, for the backend that waits, as soon as one does; with `leave` the
    client goes then. Raises GreenroomError.
    """
    patient = " ".join(filter(None, [admin.options.get("options"), _known(admin, _PATIENT)]))
    address = replace(admin, options={**admin.options, "options": patient})
    sitters: list[Sitter] = []
    try:
        for table, kind in tables.items():
            sitters.append(_sat_down(address, table, kind))
        company = Company(admin, sitters, hold, strike, leave)
    except BaseException:
        for sitter in sitters:
            sitter.leave()
        raise
    try:
        yield company
    finally:
        company.close()


def _known(admin: Address, options: str) -> str:
    """Without those that this server does not know: transaction_timeout came with 17."""
    with connect(admin) as connection:
        new = connection.info.server_version >= 170000
    return options if new else options.replace("-c transaction_timeout=0", "").strip()


def _sat_down(address: Address, table: str, kind: Kind) -> Sitter:
    """Raises GreenroomError for a table that this role may not lock."""
    connection = connect(address)
    schema, _, name = table.rpartition(".")
    identifier, seat = sql.Identifier(schema or "public", name), sql.SQL("LOCK TABLE ONLY {} IN {} MODE")
    try:
        connection.execute("BEGIN")
        if connection.execute(_MATERIALIZED, [identifier.as_string(connection)]).fetchone():
            seat = sql.SQL("SELECT FROM {} LIMIT 0")  # LOCK is for tables; a reader of the view holds the same
        connection.execute(seat.format(identifier, sql.SQL(_MODES[kind])))
    except psycopg.Error as error:
        connection.close()
        raise GreenroomError(f"no client can be put on {table}: SQLSTATE {error.sqlstate}.") from error
    return Sitter(table, kind, connection)
