"""Which copies stand on a server: those that bear a lease, and those that the journal remembers."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.postgres import branch, journal, lease
from greenroom.postgres.address import Address
from greenroom.postgres.journal import Intent
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect


@dataclass(frozen=True)
class Standing:
    """A database that is ours to drop: it bears a lease, or stands in the journal, or both.

    `exists` is false for an intent whose database was never made, or is gone already; `busy` says that a session is at
    CREATE DATABASE for it: a killed client leaves one that works on.
    """

    name: str
    server: Address
    lease: Lease | None = None
    intent: Intent | None = None
    noted: Path | None = None
    size_bytes: int = 0
    exists: bool = True
    busy: bool = False

    @property
    def state(self) -> str:
        """For people: why it stands, or why it should go."""
        if not self.exists:
            return "never made" if self.to_be_reaped else "being made"
        if self.lease is None:
            return "no lease, creator died" if self.to_be_reaped else "no lease yet"
        return self.lease.state

    @property
    def to_be_reaped(self) -> bool:
        """Whether its time is over, or whoever made it has died."""
        if self.lease:
            return self.lease.over
        return self.intent is not None and self.intent.abandoned and not self.busy

    @property
    def roles(self) -> tuple[str, ...]:
        """Stand-ins that came with it."""
        return self.lease.roles if self.lease else self.intent.roles if self.intent else ()


@dataclass(frozen=True)
class Survey:
    """What stands on the servers that answered, and a sentence for each that did not."""

    standing: list[Standing]
    problems: list[str]


def survey(url: str | None) -> Survey:
    """Of the server of `url`, or of every server that the journal knows. With `url`, raises GreenroomError."""
    if url:
        return Survey(standing_on(branch.maintenance(Address.parse(url))), [])
    found: list[Standing] = []
    problems = []
    for server in known_servers():
        try:
            found += standing_on(server)
        except GreenroomError as error:
            problems.append(f"{error}\n  Is it gone for good? Then forget it: rm {_noted_for(server)}")
    return Survey(found, problems)


def known_servers() -> list[Address]:
    """Those on which the journal says that something was begun, each once."""
    addresses = {(intent.host, intent.port): intent.address for _, intent in journal.intents()}
    return [addresses[key] for key in sorted(addresses)]


def _noted_for(server: Address) -> str:
    noted = [path for path, intent in journal.intents() if (intent.host, intent.port) == (server.host, server.port)]
    return shlex.join(map(str, noted))


def standing_on(server: Address) -> list[Standing]:
    """Everything of ours on one server: what bears a lease, the oldest first, then what was only intended."""
    intents = {
        intent.database: (path, intent)
        for path, intent in journal.intents()
        if (intent.host, intent.port) == (server.host, server.port)
    }
    with connect(server) as connection:
        leased = {found.name: found for found in lease.leased(connection)}
        busy = {name for name in intents if _being_made(connection, name)}  # before looking whether it is there
        sizes = {name: _size(connection, name) for name in intents}
    borne = []
    for name, copy in leased.items():
        path, intent = intents.get(name, (None, None))
        borne.append(Standing(name, server, copy.lease, intent, path, copy.size_bytes))
    intended = [
        Standing(name, server, None, intent, path, sizes[name] or 0, sizes[name] is not None, name in busy)
        for name, (path, intent) in intents.items()
        if name not in leased
    ]
    return borne + intended


def named(found: Survey, name: str) -> Standing:
    """The one called `name`. Raises GreenroomError (exit code 1): what is not marked as ours is not ours to drop."""
    for copy in found.standing:
        if copy.name == name:
            return copy
    raise GreenroomError(
        f"{name} bears no lease and stands in no journal of ours, so it is not dropped.",
        "./inv db-list shows what can be (with --url, on a server that our journal does not know).",
        code=ANSWER_IS_NO,
    )


def drop(copy: Standing) -> None:
    """Drop the database with its stand-in roles, and forget the intent. Raises GreenroomError where it is refused."""
    with connect(copy.server) as connection:
        try:
            lease.drop(connection, copy.name, copy.roles)
        except psycopg.Error as error:
            raise GreenroomError(
                f"{copy.name} on {copy.server.server} could not be dropped (SQLSTATE {error.sqlstate}).",
                f"Its owner or a superuser can: --url postgresql://OWNER@{copy.server.server}/postgres",
            ) from error
    if copy.noted:
        copy.noted.unlink(missing_ok=True)


def _being_made(connection: psycopg.Connection, name: str) -> bool:
    words = f"CREATE DATABASE {sql.Identifier(name).as_string()} "
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, %s))", [words]
    ).fetchone()
    return bool(row and row[0])


def _size(connection: psycopg.Connection, name: str) -> int | None:
    """In bytes; 0 where the role may not look; None where there is no such database."""
    words = sql.SQL(
        "SELECT CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END "
        "FROM pg_database WHERE datname = {}"
    ).format(name)
    row = connection.execute(words).fetchone()
    return int(row[0]) if row else None
