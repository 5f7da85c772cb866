"""The lease on a copy: a comment on the database that says who made it, when, and until when.

A copy's name is not enough to drop it by: what bears no lease and stands in no journal was not made by us.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql
from pydantic import TypeAdapter

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.postgres import processes
from greenroom.postgres.processes import Process
from greenroom.postgres.roles import drop_stubs

LONGEST_NAME = 63  # bytes: NAMEDATALEN - 1
_NAME = re.compile(r"__.*_[0-9a-f]{6}$", re.DOTALL)


@dataclass(frozen=True)
class Lease:
    """Times are ISO 8601 in UTC; `roles` are those that were created for the copy and go with it.

    `engine`: an engine made the copy and ends it, so nobody ever says DROP DATABASE for it. `database`, `oid` and
    `system` (the server's identifier) are of the database that it was put on: a comment goes with a database that is
    renamed, and with a dump of it. `machine` and `began` tell the process from others of its number elsewhere and
    later. A lease of before them has none: then the time alone decides.
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
    database: str = ""
    oid: int = 0
    system: str = ""
    machine: str = ""
    began: int = 0

    @classmethod
    def new(cls, *, branch: str, source: str, hours: float, kept: bool = False) -> Lease:
        """A lease of this process, from now on for `hours`."""
        now = datetime.now(UTC).replace(microsecond=0)
        until = now + timedelta(hours=hours)
        by = f"{getpass.getuser()}@{socket.gethostname()}"
        me = os.getpid()
        return cls(
            id=secrets.token_hex(8),
            by=by,
            branch=branch,
            source=source,
            made=now.isoformat(),
            until=until.isoformat(),
            pid=me,
            kept=kept,
            machine=processes.machine(),
            began=processes.began(me),
        )

    @classmethod
    def read(cls, comment: str | None) -> Lease | None:
        """From a database's comment; None when that is not a lease. What only a later version knows is passed over.

        Whoever owns a database may write what he likes there: one with other types or times is none.
        """
        try:
            content = json.loads(comment or "")
            if content.pop("greenroom") != 1:
                return None
            known = {name: content[name] for name in content.keys() & {field.name for field in fields(cls)}}
            lease = TypeAdapter(cls).validate_python(known)
            return lease if lease._comparable else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def comment(self) -> str:
        """As it stands on the database."""
        return json.dumps({"greenroom": 1, **asdict(self)})

    def with_roles(self, roles: Sequence[str]) -> Lease:
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
    def _comparable(self) -> bool:
        """Whether its times are times, of a known zone."""
        return all(datetime.fromisoformat(time).tzinfo for time in (self.made, self.until))

    @property
    def process(self) -> Process:
        """Whose it is."""
        return Process(self.pid, self.made, self.machine, self.began)

    @property
    def abandoned(self) -> bool:
        """Whether its process can be seen from here and is gone; a copy that was kept on purpose is not abandoned."""
        return not self.kept and self.process.seen and not self.process.lives

    @property
    def over(self) -> bool:
        """Whether what bears it is to go: by its process, where that can be seen from here, else by the time."""
        held = not self.kept and self.process.seen
        return self.abandoned if held else self.expired

    @property
    def state(self) -> str:
        """For people: why a copy stands, or why it should go."""
        if self.over:
            return "creator died" if self.abandoned else "expired"
        return "kept" if self.kept else "alive"


@dataclass(frozen=True)
class LeasedDatabase:
    """A database that bears a lease; `system` is its server's identifier, empty where that may not be asked."""

    name: str
    lease: Lease
    size_bytes: int
    oid: int = 0
    system: str = ""

    @property
    def renamed(self) -> bool:
        """Whether somebody gave it another name: then it is his. A lease that tells no name is of a name of ours."""
        if self.lease.database:
            return self.name != self.lease.database
        return _NAME.search(self.name) is None

    @property
    def restored(self) -> bool:
        """Whether the lease was another database's, of which this one was restored or copied."""
        here, there = (self.oid, self.system), (self.lease.oid, self.lease.system)
        return any(one and other and one != other for one, other in zip(here, there, strict=True))


class NotOurs(GreenroomError):
    """The database is another one by now."""


def copy_name(database: str, branch_slug: str) -> str:
    """`<db>__<branch slug>_<suffix>`, at most 63 bytes; the suffix keeps two rehearsals of one branch apart."""
    suffix = secrets.token_hex(3)
    slug = branch_slug.encode()[:30].decode(errors="ignore").rstrip("_")
    room = LONGEST_NAME - len(f"__{slug}_{suffix}".encode())
    return f"{database.encode()[:room].decode(errors='ignore')}__{slug}_{suffix}"


def grant(connection: psycopg.Connection, database: str, lease: Lease) -> Lease:
    """Put the lease on a database; returns it with the database that it was put on.

    There it ends by the server's clock, which all who read it share: a machine's own may go wrong.
    """
    marked = replace(lease, database=database, oid=_oid(connection, database) or 0, system=_system(connection))
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    there = _shifted(marked, _ahead(connection))
    connection.execute(statement.format(sql.Identifier(database), there.comment()))
    return marked


def renew(connection: psycopg.Connection, lease: Lease) -> None:
    """From now on for as long again, unless the database that it was put on has another name by now, or is gone."""
    if lease.oid and _oid(connection, lease.database) == lease.oid:
        grant(connection, lease.database, lease.renewed())


def leased(connection: psycopg.Connection) -> list[LeasedDatabase]:
    """Every database of the server that bears a lease, the oldest first; when that ends, by our own clock."""
    rows = connection.execute(
        """
        SELECT oid::bigint, datname, shobj_description(oid, 'pg_database'),
               CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END
        FROM pg_database WHERE NOT datistemplate
        """
    )
    found = [(oid, name, Lease.read(comment), size) for oid, name, comment, size in rows]
    system, ahead = _system(connection), _ahead(connection)
    databases = [
        LeasedDatabase(name, _shifted(lease, -ahead), size, oid, system) for oid, name, lease, size in found if lease
    ]
    return sorted(databases, key=lambda database: database.lease.made)


def yours(database: str) -> str:
    """What to do with one that bears our mark and is somebody's own by now."""
    statement = f"COMMENT ON DATABASE {sql.Identifier(database).as_string()} IS NULL"
    return f"It is yours: drop it yourself, or take our mark off: {statement}."


def drop(connection: psycopg.Connection, database: str, roles: tuple[str, ...] = (), oid: int = 0) -> None:
    """Drop a copy with whatever is connected to it, and the roles that came with it, where nothing else needs them.

    With its `oid`, nothing but that very database. Raises NotOurs where it has another name by now, or another one has
    its name.
    """
    if oid:
        _refuse_others(connection, database, oid)
    name = sql.Identifier(database)
    try:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    except psycopg.errors.InsufficientPrivilege:
        _end_sessions(connection, database)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
    drop_stubs(connection, roles)


def _refuse_others(connection: psycopg.Connection, database: str, oid: int) -> None:
    rows = connection.execute(
        "SELECT datname, oid::bigint FROM pg_database WHERE datname = %s OR oid = %s", [database, oid]
    )
    for name, found in rows.fetchall():
        if name != database:
            raise NotOurs(f"{database} is called {name} by now, so it is not dropped.", yours(name), code=ANSWER_IS_NO)
        if found != oid:
            raise NotOurs(
                f"{database} is another database by now, so it is not dropped.", yours(name), code=ANSWER_IS_NO
            )


def _ahead(connection: psycopg.Connection) -> timedelta:
    """By how many whole seconds the server's clock is ahead of ours."""
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    assert row is not None, "a SELECT of one value has a row"
    return timedelta(seconds=round(row[0] / 1000 - time.time()))


def _shifted(lease: Lease, by: timedelta) -> Lease:
    return replace(lease, until=(datetime.fromisoformat(lease.until) + by).isoformat())


def _oid(connection: psycopg.Connection, database: str) -> int | None:
    row = connection.execute("SELECT oid::bigint FROM pg_database WHERE datname = %s", [database]).fetchone()
    return int(row[0]) if row else None


def _system(connection: psycopg.Connection) -> str:
    """The server's identifier, which all copies of its files share; empty where the role may not ask."""
    allowed = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
    if connection.execute(allowed).fetchone() != (True,):
        return ""
    row = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    return str(row[0]) if row else ""


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
