"""A copy from the intent to make it until it is gone: journal, lease, and DROP DATABASE on every way out."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg

from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import journal, lease
from greenroom.postgres.address import Address
from greenroom.postgres.lease import Lease
from greenroom.postgres.remains import dropping
from greenroom.postgres.server import CannotConnect, connect

GONE_SECONDS = 30.0
AWAY_SECONDS = 5.0  # a restart of the server takes no longer; a VPN that is off does
JOIN_SECONDS = 10.0  # one that hangs at its server ends with us
RENEWALS = 3
LEAST_SECONDS = 0.5
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Session:
    """One of ours on a server: a number that is another's by now has begun at another time."""

    pid: int
    began: datetime
    name: str

    @classmethod
    def of(cls, connection: psycopg.Connection) -> Session | None:
        """The server's own numbers: a pooler tells others."""
        row = connection.execute(
            "SELECT pid, backend_start, application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        ).fetchone()
        return cls(*row) if row else None


@dataclass
class Held:
    """A database that is ours to make and to drop; `connection` is for saying CREATE DATABASE and the like.

    After the copy is filled, which can take hours, `sure` has it.

    `keep` is obeyed once the copy is whole: what is half made is dropped in any case.
    """

    name: str
    maintenance: Address
    lease: Lease
    connection: psycopg.Connection
    keep: bool = False
    whole: bool = False
    dropped: bool = False
    left_behind: str | None = field(default=None)
    real: Address | None = None
    via: str | None = None
    granted: bool = False
    noted: Path | None = None
    session: Session | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.session = Session.of(self.connection)

    def grant(self) -> None:
        """Put the lease on the database, which has just been created."""
        self.lease = lease.grant(self.connection, self.name, self.lease)
        self.granted = True
        if self.noted:
            journal.granted(self.noted, self.lease.oid)

    @contextmanager
    def sure(self) -> Iterator[psycopg.Connection]:
        """`connection` after it was silent while the copy was filled: where it was lost meanwhile, a new one.

        Raises GreenroomError where there is none, and where it is lost within the block.
        """
        if not _answers(self.connection):
            self.connection.close()
            self.connection = _reconnected(self.maintenance)
            self.session = Session.of(self.connection)
        try:
            yield self.connection
        except psycopg.OperationalError as error:
            known = self.real or self.maintenance
            raise GreenroomError(
                f"{self.name} on {known.server} was filled, and could not be given its settings and privileges "
                f"(SQLSTATE {error.sqlstate or 'none'}).",
                "Does the server still run, and is the VPN on? Then run again.",
            ) from error


@contextmanager
def held(
    maintenance: Address, name: str, terms: Lease, *, keep: bool, real: Address | None = None, via: str | None = None
) -> Iterator[Held]:
    """For a copy on a server that outlives us. The intent is written first: a killed CREATE DATABASE still creates.

    The lease is renewed as long as the block lasts. `real` is the address that the server has in its own network, where
    `maintenance` is a tunnel's end, made through the VPN host `via`.
    """
    with connect(maintenance) as connection:
        known = maintenance if real is None else real.at(maintenance.database)
        noted = journal.write(known, name, terms.id, terms.roles, via=via, until=terms.until)
        copy = Held(name, maintenance, terms, connection, keep, real=real, via=via, noted=noted)
        try:
            with _renewed(copy):
                yield copy
        finally:
            with shielded():
                if not (keep and copy.whole):
                    _release(copy)
                copy.connection.close()
                if copy.dropped:
                    noted.unlink(missing_ok=True)
                if copy.left_behind:  # at once: the report may never be written
                    print(copy.left_behind, file=sys.stderr, flush=True)


@contextmanager
def held_with_server(
    maintenance: Address, name: str, terms: Lease, *, nearest: Address | None = None
) -> Iterator[Held]:
    """For a copy on a server of our own, which is removed as a whole: no journal, no DROP DATABASE.

    `nearest` is another way to it, for the one who makes it.
    """
    with connect(nearest or maintenance) as connection:
        copy = Held(name, maintenance, terms, connection)
        try:
            yield copy
        finally:
            copy.connection.close()
    copy.dropped = True


@contextmanager
def held_in_passing(maintenance: Address, name: str, terms: Lease) -> Iterator[Held]:
    """For one on such a server that goes earlier than the server does, to make room: dropped when the block ends."""
    with connect(maintenance) as connection:
        copy = Held(name, maintenance, terms, connection)
        try:
            yield copy
        finally:
            with shielded():
                _release(copy)


@contextmanager
def _renewed(copy: Held) -> Iterator[None]:
    """Renew the lease three times in the time that it lasts: from another machine nobody sees that we live."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(max(LEAST_SECONDS, copy.lease.lasts.total_seconds() / RENEWALS)):
            if copy.granted:
                with contextlib.suppress(psycopg.Error, GreenroomError), connect(copy.maintenance) as connection:
                    lease.renew(connection, copy.lease)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(JOIN_SECONDS)


def _release(copy: Held) -> None:
    """Drop it; where that fails, say what was left behind and the command that removes it."""
    copy.connection.close()
    try:
        with _reconnected(copy.maintenance) as connection:
            if copy.session:
                _wait_until_gone(connection, copy.session)
            lease.drop(connection, copy.name, copy.lease.roles, copy.lease.oid)
        copy.dropped = True
    except lease.NotOurs as error:
        copy.left_behind = str(error)
    except (psycopg.Error, GreenroomError):
        known = copy.real or copy.maintenance
        remedy = dropping(copy.name, *([] if copy.via else ["--url", str(copy.maintenance)]))
        copy.left_behind = (
            f"the copy {copy.name} on {known.server} could not be dropped and was left behind; remove it with: {remedy}"
        )


def _answers(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _reconnected(maintenance: Address) -> psycopg.Connection:
    """A connection to a server that may be on its way up again: a restart must not leave the copy behind."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return connect(maintenance)
        except CannotConnect:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _wait_until_gone(connection: psycopg.Connection, session: Session) -> None:
    """A session that was interrupted in CREATE DATABASE works on: what it makes must be there before it is dropped.

    Nobody else's statement is cancelled: a server that started anew gives the same numbers to others.
    """
    deadline = time.monotonic() + GONE_SECONDS
    alive = """
        SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE pid = %s AND backend_start = %s AND application_name = %s
          AND usesysid = (SELECT oid FROM pg_roles WHERE rolname = session_user)
    """
    ours = [session.pid, session.began, session.name]
    while connection.execute(alive, ours).fetchone() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
