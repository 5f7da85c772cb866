"""Databases of ours on one server: those that bear a lease, and those that the journal remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.postgres import branch, journal, lease
from greenroom.postgres.journal import Intent
from greenroom.postgres.lease import LeasedDatabase
from greenroom.postgres.remains import Remains
from greenroom.postgres.roles import drop_stubs
from greenroom.postgres.server import connect
from greenroom.postgres.way import Way


@dataclass(frozen=True)
class Intended:
    """A database that stands in the journal and bears no lease.

    `size_bytes` is None where there is no such database: it may have had its lease, and be gone. `busy` says that a
    session is at CREATE DATABASE for it: a killed client leaves one that works on.
    """

    intent: Intent
    size_bytes: int | None
    busy: bool

    @property
    def to_be_reaped(self) -> bool:
        """Whether whoever began it has died, and nobody works on. One whose lease somebody took off is his."""
        return self.intent.abandoned and not self.busy and not self.disowned

    @property
    def disowned(self) -> bool:
        """Whether it had a lease, stands, and has none any more."""
        return self.intent.oid > 0 and self.size_bytes is not None

    @property
    def state(self) -> str:
        """For people."""
        if self.disowned:
            return "its lease was taken off"
        if self.size_bytes is None and self.intent.oid:
            return "gone"
        if self.size_bytes is None:
            return "never made" if self.to_be_reaped else "being made"
        return "no lease, creator died" if self.to_be_reaped else "no lease yet"


def standing_on(way: Way) -> list[Remains]:
    """Everything of ours on one server: what bears a lease, the oldest first, then what was only intended.

    Raises GreenroomError when nobody is connected.
    """
    noted = {intent.database: (path, intent) for path, intent in journal.intents() if way.leads_to(intent)}
    with way.opened() as address:
        maintenance = branch.maintenance(address)
        with connect(maintenance) as connection:
            leased = lease.leased(connection)
            wanted = sorted(noted.keys() - {copy.name for copy in leased})
            busy = {name for name in wanted if _being_made(connection, name)}  # before looking whether it is there
            intended = {
                name: Intended(noted[name][1], _size(connection, noted[name][1]), name in busy) for name in wanted
            }
    server = replace(way, real=way.real.at(maintenance.database))
    borne = [_leased(copy, server, noted.get(copy.name, (None,))[0]) for copy in leased]
    return borne + [_intended(found, server, noted[name][0]) for name, found in intended.items()]


def _leased(copy: LeasedDatabase, server: Way, noted: Path | None) -> Remains:
    if copy.lease.engine:
        return _not_ours(
            copy,
            server,
            "its engine ends it",
            f"{copy.name} is a database of an engine's copy, which the engine ends itself.",
            "./inv db-list shows the copy under the engine's name for it: ./inv db-drop takes that.",
        )
    if copy.renamed or copy.restored:
        was = copy.lease.database or "a copy"
        why = f"{copy.name} bears a lease that was put on {was}" + (
            "" if copy.renamed else " of another server or time"
        )
        state = "renamed: not ours any more" if copy.renamed else "restored from a copy: not ours"
        return _not_ours(copy, server, state, f"{why}.", lease.yours(copy.name))
    return Remains(
        kind="database",
        name=copy.name,
        where=server.real.server,
        made=copy.lease.made,
        state=copy.lease.state,
        to_be_reaped=copy.lease.over,
        drop=lambda: _drop(server, copy.name, copy.lease.roles, noted, copy.oid),
        lease=copy.lease,
        size_bytes=copy.size_bytes,
    )


def _not_ours(copy: LeasedDatabase, server: Way, state: str, why: str, remedy: str) -> Remains:
    """It bears a lease, and yet nobody drops it."""
    refusal = GreenroomError(f"{why} It is not dropped.", remedy, code=ANSWER_IS_NO)

    def refuse() -> None:
        raise refusal

    return Remains(
        kind="database",
        name=copy.name,
        where=server.real.server,
        made=copy.lease.made,
        state=state,
        to_be_reaped=False,
        drop=refuse,
        lease=copy.lease,
        size_bytes=copy.size_bytes,
        refusal=refusal,
    )


def _intended(found: Intended, server: Way, noted: Path) -> Remains:
    intent = found.intent

    def drop() -> None:
        if found.size_bytes is None and intent.oid:
            with server.opened() as address, connect(address) as connection:
                drop_stubs(connection, intent.roles)
            noted.unlink(missing_ok=True)
        else:
            _drop(server, intent.database, intent.roles, noted, intent.oid)

    return Remains(
        kind="database",
        name=intent.database,
        where=server.real.server,
        made=intent.made,
        state=found.state,
        to_be_reaped=found.to_be_reaped,
        drop=drop,
        size_bytes=found.size_bytes or 0,
        exists=found.size_bytes is not None,
    )


def _drop(server: Way, name: str, roles: tuple[str, ...], noted: Path | None, oid: int) -> None:
    """Drop the database with its stand-in roles, and forget the intent. Raises GreenroomError where it is refused.

    With `oid`, nothing but what was looked at: it may have been renamed since.
    """
    with server.opened() as address, connect(address) as connection:
        try:
            lease.drop(connection, name, roles, oid)
        except psycopg.Error as error:
            known = server.real.server
            raise GreenroomError(
                f"{name} on {known} could not be dropped (SQLSTATE {error.sqlstate}).",
                f"Its owner or a superuser can: --url postgresql://OWNER@{known}/postgres",
            ) from error
    if noted:
        noted.unlink(missing_ok=True)


def _being_made(connection: psycopg.Connection, name: str) -> bool:
    words = f"CREATE DATABASE {sql.Identifier(name).as_string()} "
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, %s))", [words]
    ).fetchone()
    return bool(row and row[0])


def _size(connection: psycopg.Connection, intent: Intent) -> int | None:
    """In bytes; 0 where the role may not look; None where there is no such database."""
    row = connection.execute(
        "SELECT CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END "
        "FROM pg_database WHERE datname = %s AND %s IN (0, oid::bigint)",
        [intent.database, intent.oid],
    ).fetchone()
    return int(row[0]) if row else None
