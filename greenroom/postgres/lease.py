"""The lease on a copy: a comment on the database that says who made it, when, and until when.

A copy's name is not enough to drop it by: what bears no lease and stands in no journal was not made by us.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from greenroom.postgres.processes import lives
from greenroom.postgres.roles import drop_stubs

LONGEST_NAME = 63  # bytes: NAMEDATALEN - 1


@dataclass(frozen=True)
class Lease:
    """Times are ISO 8601 in UTC; `roles` are those that were created for the copy and go with it.

    `engine`: an engine made the copy and ends it, so nobody ever says DROP DATABASE for it.
    """

    id: str
    by: str
    branch: str
    source: str
    made: str
    until: str
    pid: int
    kept: bool = False
    roles: tuple[str, ...] = ()
    engine: bool = False

    @classmethod
    def new(cls, *, branch: str, source: str, hours: float, kept: bool = False) -> Lease:
        """A lease of this process, from now on for `hours`."""
        now = datetime.now(UTC).replace(microsecond=0)
        until = now + timedelta(hours=hours)
        by = f"{getpass.getuser()}@{socket.gethostname()}"
        return cls(secrets.token_hex(8), by, branch, source, now.isoformat(), until.isoformat(), os.getpid(), kept)

    @classmethod
    def read(cls, comment: str | None) -> Lease | None:
        """From a database's comment; None when that is not a lease. What only a later version knows is passed over."""
        try:
            content = json.loads(comment or "")
            if content.pop("greenroom") != 1:
                return None
            known = {name: content[name] for name in content.keys() & {field.name for field in fields(cls)}}
            return cls(**{**known, "roles": tuple(known.get("roles", ()))})
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def comment(self) -> str:
        """As it stands on the database."""
        return json.dumps({"greenroom": 1, **asdict(self)})

    def with_roles(self, roles: list[str]) -> Lease:
        """The same lease for a copy that brought roles with it."""
        return replace(self, roles=tuple(roles))

    @property
    def lasts(self) -> timedelta:
        """For how long it was made."""
        return datetime.fromisoformat(self.until) - datetime.fromisoformat(self.made)

    def renewed(self) -> Lease:
        """The one that was made, from now on for as long again."""
        return replace(self, until=(datetime.now(UTC).replace(microsecond=0) + self.lasts).isoformat())

    @property
    def expired(self) -> bool:
        """Whether its time has passed."""
        return datetime.fromisoformat(self.until) < datetime.now(UTC)

    @property
    def abandoned(self) -> bool:
        """Whether its process, on this machine, is gone; a copy that was kept on purpose is not abandoned."""
        return not self.kept and self._of_this_machine and not lives(self.pid, self.made)

    @property
    def over(self) -> bool:
        """Whether what bears it is to go: by its process, where that can be seen from here, else by the time."""
        held = not self.kept and self._of_this_machine
        return self.abandoned if held else self.expired

    @property
    def state(self) -> str:
        """For people: why a copy stands, or why it should go."""
        if self.over:
            return "creator died" if self.abandoned else "expired"
        return "kept" if self.kept else "alive"

    @property
    def _of_this_machine(self) -> bool:
        return self.by.rpartition("@")[2] == socket.gethostname()


@dataclass(frozen=True)
class LeasedDatabase:
    """A database that bears a lease."""

    name: str
    lease: Lease
    size_bytes: int


def copy_name(database: str, branch_slug: str) -> str:
    """`<db>__<branch slug>_<suffix>`, at most 63 bytes; the suffix keeps two rehearsals of one branch apart."""
    suffix = secrets.token_hex(3)
    slug = branch_slug.encode()[:30].decode(errors="ignore").rstrip("_")
    room = LONGEST_NAME - len(f"__{slug}_{suffix}".encode())
    return f"{database.encode()[:room].decode(errors='ignore')}__{slug}_{suffix}"


def grant(connection: psycopg.Connection, database: str, lease: Lease) -> None:
    """Put the lease on a database."""
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    connection.execute(statement.format(sql.Identifier(database), lease.comment()))


def leased(connection: psycopg.Connection) -> list[LeasedDatabase]:
    """Every database of the server that bears a lease, the oldest first."""
    rows = connection.execute(
        """
        SELECT datname, shobj_description(oid, 'pg_database'),
               CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END
        FROM pg_database WHERE NOT datistemplate
        """
    )
    found = [(name, Lease.read(comment), size) for name, comment, size in rows]
    databases = [LeasedDatabase(name, lease, size) for name, lease, size in found if lease]
    return sorted(databases, key=lambda database: database.lease.made)


def drop(connection: psycopg.Connection, database: str, roles: tuple[str, ...] = ()) -> None:
    """Drop a copy with whatever is connected to it, and the roles that came with it, where nothing else needs them."""
    name = sql.Identifier(database)
    try:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    except psycopg.errors.InsufficientPrivilege:
        _end_sessions(connection, database)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    drop_stubs(connection, roles)


def _end_sessions(connection: psycopg.Connection, database: str) -> None:
    """Those that this role may end.

    An ordinary role's FORCE is refused while an autovacuum worker is there; the plain command ends that worker itself,
    whoever asks, and gives all others five seconds to leave (CountOtherDBBackends in PostgreSQL's procarray.c).
    """
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid"
        " WHERE datname = %s AND pid <> pg_backend_pid() AND NOT rolsuper AND pg_has_role(usesysid, 'USAGE')",
        [database],
    )
