"""Connecting to a server, and what it is: version, extensions, settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.conninfo import make_conninfo

from greenroom.errors import GreenroomError
from greenroom.postgres import refusals
from greenroom.postgres.address import Address
from greenroom.postgres.dialling import dialled
from greenroom.postgres.refusals import CONNECT_SECONDS as CONNECT_SECONDS
from greenroom.postgres.settings import settings_of, timeouts_of

TAKES_NOTHING = {"tcp_user_timeout": "300000"}  # in milliseconds
READ_ONLY, WRITING = (f"-c default_transaction_read_only={value}" for value in ("on", "off"))

_HINTS = {
    "28P01": "Set it where the target says (password_variable, password_parameter), else PGPASSWORD or ~/.pgpass.",
    "28000": "Check the user's name, and the server's pg_hba.conf (some rows demand TLS: add ?sslmode=require).",
    "3D000": "`psql -l` lists the databases of a server.",
    "53300": "Wait until others have disconnected, or raise max_connections, or the role's CONNECTION LIMIT.",
    "57P03": "The server is starting up or shutting down: try again in a moment.",
    "42501": "Ask for the CONNECT privilege on the database.",
}
_READ_ONLY_TRANSACTION = "25006"

# Roles may have others, in which dates and numbers are written in ways of their own, or names get quotes.
_AS_WE_READ = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
}
# A search_path that names pg_catalog behind others puts their tables and functions before PostgreSQL's own; where it
# does not, that is looked into first.
_CATALOGUE_FIRST = """
SELECT pg_catalog.set_config('search_path', (
    SELECT coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(name), ', '), '')
    FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS name WHERE name OPERATOR(pg_catalog.<>) 'pg_catalog'
), false) WHERE 'pg_catalog' OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))
"""


class CannotConnect(GreenroomError):
    """Nobody is connected; `sqlstate` is the server's reason, None where no server answered."""

    def __init__(self, message: str, hint: str, sqlstate: str | None) -> None:
        super().__init__(message, hint)
        self.sqlstate = sqlstate


@dataclass(frozen=True)
class ServerFacts:
    """What a server and the database on it are. `settings` are as they hold for the role that asked, or migrates.

    `unknown` are names of settings that the role that asked could not be told of.
    """

    version: str
    version_num: int
    timezone: str
    extensions: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    superuser: bool = False
    tls: bool = False
    owner: str = ""
    size_bytes: int = 0
    encoding: str = "UTF8"
    unknown: list[str] = field(default_factory=list)

    @property
    def major(self) -> int:
        """18 for 18.6."""
        return self.version_num // 10000


def connect(address: Address, *, read_only: bool = False) -> psycopg.Connection:
    """A connection in autocommit mode, that says who it is. The password may come from PGPASSWORD or ~/.pgpass.

    No timeout of the role's or of the database's ends it, and without `read_only` it may write, whatever they have as
    default; what it says is written as we read it. Raises CannotConnect: one sentence, never the password.
    """
    chosen = only_reading(address) if read_only else address
    try:
        connection = dialled(parameters(chosen))
        try:
            _unhinder(connection, read_only)
        except BaseException:
            connection.close()
            raise
        return connection
    except psycopg.OperationalError as error:
        raise refusal(chosen, error) from None
    except psycopg.ProgrammingError as error:
        raise CannotConnect(
            f"the parameters of the database URL cannot be used: {str(error).strip()}.",
            "Behind the ? stand libpq's own names, as in ?sslmode=require&connect_timeout=10.",
            None,
        ) from None


@contextmanager
def asking(address: Address) -> Iterator[None]:
    """What keeps a server from answering questions (it ends, or a limit of the role's is met) is one sentence.

    `address` is for people. Raises GreenroomError.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        said = error.diag.message_primary or _last_words(error).rstrip(".")
        raise GreenroomError(
            f"{address.database} on {address.server} could not be read (SQLSTATE {error.sqlstate or 'none'}): {said}.",
            "Does the server still run, and is the VPN on? Limits of the role stand in pg_roles.rolconfig.",
        ) from error


def parameters(address: Address) -> dict[str, str]:
    """What libpq is given: the address's own parameters go over ours, but for the encoding in which we speak."""
    ours = {"application_name": "greenroom", "connect_timeout": str(CONNECT_SECONDS)}
    return {**ours, **address.parameters, "client_encoding": "UTF8"}


def only_reading(address: Address) -> Address:
    """The same, in sessions whose transactions cannot write."""
    return with_options(address, READ_ONLY)


def patient(address: Address, version_num: int) -> Address:
    """The same, in sessions that no timeout ends, on a server of that version: for programs of libpq."""
    return with_options(address, " ".join(f"-c {name}=0" for name in timeouts_of(version_num)))


def unhindered(address: Address, version_num: int) -> Address:
    """The same for programs that write: what `connect` does for our own sessions.

    pg_dump sees to it that all else is read as it was written, but not to arrays with NULLs. A server whose disk is
    busy may take no row for a minute, and yet live: to Linux that is the same as no answer (tcp_user_timeout).
    """
    writing = with_options(patient(address, version_num), f"{WRITING} -c array_nulls=on")
    return replace(writing, options={**TAKES_NOTHING, **writing.options})


def refusal(address: Address, error: psycopg.OperationalError) -> CannotConnect:
    """Why nobody is connected, by SQLSTATE and libpq's status: messages are in the server's language."""
    used = getattr(error, "pgconn", None)
    if used is not None and used.needs_password and not address.password:
        return CannotConnect(
            f"{address.server} asks for a password for {address.user}, and none was given.", _HINTS["28P01"], "28P01"
        )
    refused = refusals.why(make_conninfo(**parameters(address)).encode())
    sqlstate = refused.sqlstate if refused else None
    reasons = {
        "28P01": f"{address.server} refuses {address.user}: {address.refused_password}.",
        "28000": f"{address.server} does not let {address.user} in from here.",
        "3D000": f"there is no database {address.database} on {address.server}.",
        "53300": f"{address.server} has no connection left for {address.user}.",
        "57P03": f"{address.server} takes no connections at the moment.",
        "42501": f"{address.user} may not connect to {address.database} on {address.server}.",
    }
    if sqlstate is None:
        return CannotConnect(
            f"no PostgreSQL server can be reached at {address.server} ({CONNECT_SECONDS} s): {_last_words(error)}",
            "Check host and port, and that the server runs and listens there; is a VPN or an SSH tunnel missing?",
            None,
        )
    if refused and refused.function:
        return _kept_out(address, sqlstate, refused.function)
    said = reasons.get(sqlstate, f"{address.server} refuses {address.user} with SQLSTATE {sqlstate}.")
    return CannotConnect(said, _HINTS.get(sqlstate, "The server's log says more."), sqlstate)


def _kept_out(address: Address, sqlstate: str, function: str) -> CannotConnect:
    hint = f"Have it let {address.user} in from here; on the source, where this is a copy."
    if sqlstate == _READ_ONLY_TRANSACTION:
        hint = "A source is only read: have it write nothing where current_setting('transaction_read_only') is 'on'."
    return CannotConnect(
        f"{address.server} refuses {address.user}: {function}(), which an event trigger calls at each login to "
        f"{address.database}, fails (SQLSTATE {sqlstate}).",
        f"{hint} A superuser's URL may end in ?options=-c%20event_triggers%3Doff.",
        sqlstate,
    )


def facts(connection: psycopg.Connection) -> ServerFacts:
    """What the server says of itself and of the connected database."""
    row = connection.execute(
        """
        SELECT current_setting('server_version'), r.rolsuper, pg_get_userbyid(d.datdba),
               pg_encoding_to_char(d.encoding), pg_database_size(d.oid)
        FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user
        """
    ).fetchone()
    assert row is not None, "a session has a database and a role"
    version, superuser, owner, encoding, size = row
    settings = settings_of(connection)
    return ServerFacts(
        version=version.split(" ")[0],
        version_num=connection.info.server_version,
        timezone=settings["TimeZone"],
        extensions=dict(connection.execute("SELECT extname, extversion FROM pg_extension ORDER BY 1").fetchall()),
        settings=settings,
        superuser=superuser,
        tls=connection.pgconn.ssl_in_use,
        owner=owner,
        size_bytes=size,
        encoding=encoding,
    )


def _unhinder(connection: psycopg.Connection, read_only: bool) -> None:
    """By SET, and not when it connects: so the session still knows what the role has (`reset_val`)."""
    words = [f"SET {name} = 0" for name in timeouts_of(connection.info.server_version)]
    words += [f"SET {name} = {value}" for name, value in _AS_WE_READ.items()]
    words += [] if read_only else ["SET default_transaction_read_only = off"]
    connection.execute("; ".join([*words, _CATALOGUE_FIRST]).encode())


def unanswered(error: psycopg.Error) -> str:
    """What a server said no with, in words without any data: messages of its own may hold some."""
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ", or is gone"
    return f"The copy's server refused to answer{state}."


def with_options(address: Address, more: str) -> Address:
    """The same, in sessions that are given these settings too (`-c name=value`)."""
    options = " ".join(filter(None, [address.options.get("options"), more]))
    return replace(address, options={**address.options, "options": options})


def _last_words(error: psycopg.OperationalError) -> str:
    """libpq's own reason (connection refused, no such host), without its preamble; it never holds the password."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else "no reason was given"
    return line.rpartition("failed: ")[2].rstrip(".") + "."
