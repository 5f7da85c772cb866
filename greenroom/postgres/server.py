"""Connecting, and what a server is: version, settings that change a rehearsal's result, extensions, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address

CONNECT_SECONDS = 5

# the settings that change what a migration takes, blocks or logs: recorded, and compared with the source's
SETTINGS = (
    "TimeZone",
    "autovacuum",
    "checkpoint_timeout",
    "default_statistics_target",
    "fsync",
    "full_page_writes",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_wal_size",
    "shared_buffers",
    "statement_timeout",
    "synchronous_commit",
    "wal_level",
    "work_mem",
)


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself and of one of its databases."""

    version: str
    version_num: int
    timezone: str
    extensions: Mapping[str, str]
    settings: Mapping[str, str]
    superuser: bool
    may_create_roles: bool
    tls: bool
    owner: str
    size_bytes: int = 0
    available_extensions: frozenset[str] = field(default_factory=frozenset)

    @property
    def major(self) -> int:
        """15, 18, ..."""
        return self.version_num // 10_000


def connect(address: Address, *, read_only: bool = False) -> psycopg.Connection:
    """A session in autocommit, named `greenroom`; `read_only` makes each of its transactions read only.

    Raises GreenroomError in one sentence, with what to do, when there is no way in.
    """
    options = address.options.get("options", "")
    if read_only:
        options = f"{options} -c default_transaction_read_only=on".strip()
    parameters = {"connect_timeout": str(CONNECT_SECONDS), **address.parameters, "application_name": "greenroom"}
    if options:
        parameters["options"] = options
    try:
        return psycopg.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        raise explained(error, address) from error


def facts(connection: psycopg.Connection) -> ServerFacts:
    """Ask a session's server and database."""
    one = connection.execute(
        """
        SELECT current_setting('server_version_num')::int, split_part(current_setting('server_version'), ' ', 1),
               current_setting('TimeZone'), r.rolsuper, r.rolcreaterole OR r.rolsuper, current_setting('ssl') = 'on',
               pg_get_userbyid(d.datdba), pg_database_size(d.oid)
        FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user
        """
    ).fetchone()
    assert one is not None
    number, version, timezone, superuser, may_create_roles, tls, owner, size = one
    named = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)"
    return ServerFacts(
        version=version,
        version_num=number,
        timezone=timezone,
        extensions=dict(connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY 1").fetchall()),
        settings=dict(connection.execute(named, [list(SETTINGS)]).fetchall()),
        superuser=superuser,
        may_create_roles=may_create_roles,
        tls=tls,
        owner=owner,
        size_bytes=size,
        available_extensions=frozenset(row[0] for row in connection.execute("SELECT name FROM pg_available_extensions")),
    )


def explained(error: psycopg.OperationalError, address: Address) -> GreenroomError:
    """One sentence for a connection that did not come about: by SQLSTATE where the server has answered."""
    state = error.sqlstate or _sqlstate_of(str(error))
    known = {
        "28P01": ("the password is wrong", "Put the right one into PGPASSWORD or ~/.pgpass."),
        "28000": ("the server does not let that role in from here", "Ask for a line in its pg_hba.conf, or use another role."),
        "3D000": ("there is no such database", f"`psql -l -h {address.host} -p {address.port}` lists those that exist."),
        "53300": ("the server has no free connection", "Try again later, or raise its max_connections."),
        "57P03": ("the server is starting up or shutting down", "Try again in a moment."),
        "22023": ("the server refuses one of the URL's options", "Check what stands behind the ? in the URL."),
        "nopassword": ("no password was given and the server asks for one", "Put it into PGPASSWORD or ~/.pgpass."),
        "tls": ("the server does not speak TLS and the URL demands it", "Take sslmode out of the URL, or turn on TLS."),
    }
    if state in known:
        what, step = known[state]
        return GreenroomError(f"cannot connect to {address}: {what}.", step)
    return GreenroomError(
        f"cannot connect to {address}: nothing answers there within {CONNECT_SECONDS} s.",
        "Is the host right, the server up, and the VPN on?",
    )


def _sqlstate_of(text: str) -> str:
    """libpq gives no SQLSTATE for a refused start of a session: its own (untranslated) words have to do."""
    words = {
        "password authentication failed": "28P01",
        "no password supplied": "nopassword",
        "no pg_hba.conf entry": "28000",
        "is not permitted to log in": "28000",
        "too many connections": "53300",
        "too many clients": "53300",
        "remaining connection slots": "53300",
        "the database system is": "57P03",
        "server does not support SSL": "tls",
        "unrecognized configuration parameter": "22023",
        "invalid value for parameter": "22023",
    }
    if 'database "' in text and "does not exist" in text:
        return "3D000"
    if 'role "' in text and "does not exist" in text:
        return "28000"
    return next((state for part, state in words.items() if part in text), "")
