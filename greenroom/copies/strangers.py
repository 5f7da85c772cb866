"""Whether a database that a command handed out may be migrated: nobody but the command says that it is a copy.

A copy of a server's files has the same identifier, the same names and the same comments as its source. What no copy
shares is the moment at which its server was started.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql

from greenroom.config import AnyTarget, AuroraTarget, Config, PostgresTarget, RdsTarget
from greenroom.errors import GreenroomError
from greenroom.postgres import passwords
from greenroom.postgres.address import Address
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect

QUICK_SECONDS = 2
POLL_SECONDS = 0.1
_AWS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")


@dataclass(frozen=True)
class Running:
    """A database on a server that runs: whichever way one comes to it, it is the same."""

    system: int
    started: datetime
    oid: int


def refuse_targets_own(config: Config, handed_out: Address) -> None:
    """By its address: the database of a configured target. Raises GreenroomError."""
    for name, target in config.databases.items():
        if _is_at(target, handed_out):
            raise _is_target(name, handed_out)


def refuse_known(config: Config, handed_out: Address) -> None:
    """The database of a target that can be asked from here, or one that somebody has marked, or works in.

    Raises GreenroomError.
    """
    with connect(handed_out) as connection:
        _refuse_marked(connection, handed_out)
        _refuse_at_work(connection, handed_out)
        here = _running(connection)
    if here and (name := _target_of(config, here)):
        raise _is_target(name, handed_out)


def _is_at(target: AnyTarget, address: Address) -> bool:
    if isinstance(target, PostgresTarget):
        same = (target.port, target.name) == (address.port, address.database)
        return same and _same_host(target, address.host)
    if isinstance(target, AuroraTarget | RdsTarget):
        identifier = target.cluster if isinstance(target, AuroraTarget) else target.instance
        label, dot, rest = address.host.lower().rstrip(".").partition(".")
        return (label, target.name) == (identifier.lower(), address.database) and f"{dot}{rest}".endswith(_AWS)
    return False


def _same_host(target: PostgresTarget, host: str) -> bool:
    """Behind a VPN host a name means what that host says, and `localhost` another machine: no more than names then."""
    one, other = (name.lower().rstrip(".") for name in (target.host, host))
    if target.via:
        return one == other and not any(found.startswith("127.") or found == "::1" for found in _addresses(one))
    return one == other or bool(_addresses(one) & _addresses(other))


def _addresses(host: str) -> set[str]:
    with contextlib.suppress(OSError, UnicodeError):
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return set()


def _target_of(config: Config, here: Running) -> str | None:
    """Which target is this very database, of those that answer without a VPN host."""
    return next((name for name, address in _direct(config) if _answers_as(address, here)), None)


def _direct(config: Config) -> Iterable[tuple[str, Address]]:
    for name, target in config.databases.items():
        if isinstance(target, PostgresTarget) and target.via is None:
            with contextlib.suppress(GreenroomError):
                yield name, passwords.resolved(target)


def _answers_as(address: Address, here: Running) -> bool:
    quick = replace(address, options={"connect_timeout": str(QUICK_SECONDS), **address.options})
    with contextlib.suppress(GreenroomError, psycopg.Error), connect(quick, read_only=True) as connection:
        return _running(connection) == here
    return False


def _running(connection: psycopg.Connection) -> Running | None:
    """None where the role may not ask."""
    try:
        row = connection.execute(
            "SELECT system_identifier, pg_postmaster_start_time(), d.oid FROM pg_control_system(), pg_database d "
            "WHERE d.datname = current_database()"
        ).fetchone()
    except psycopg.Error:
        return None
    return Running(*row) if row else None


def _refuse_marked(connection: psycopg.Connection, handed_out: Address) -> None:
    """One that an engine hands out again and again may bear the mark of the last time."""
    row = connection.execute(
        "SELECT current_database(), shobj_description(oid, 'pg_database') FROM pg_database "
        "WHERE datname = current_database()"
    ).fetchone()
    name, comment = row if row else (handed_out.database, None)
    if not comment:
        return
    quoted = sql.Identifier(name).as_string()
    remedy = f"Is it the copy? Then let acquire take the comment off: COMMENT ON DATABASE {quoted} IS NULL."
    lease = Lease.read(comment)
    if lease is None:
        raise GreenroomError(
            f"{name} on {handed_out.server} bears a comment, as a database does that somebody relies on: "
            "nothing was run on it.",
            remedy,
        )
    if not (lease.engine and lease.over):
        raise GreenroomError(
            f"{name} on {handed_out.server} bears the lease of {lease.by} until {lease.until}: nothing was run on it.",
            remedy,
        )


def _refuse_at_work(connection: psycopg.Connection, handed_out: Address) -> None:
    """Nobody works in a copy that has just been made, but for a superuser who watches it; its maker may be leaving."""
    deadline = time.monotonic() + QUICK_SECONDS
    while others := _others(connection):
        if time.monotonic() > deadline:
            raise GreenroomError(
                f"others work in {handed_out.database} on {handed_out.server} ({', '.join(others)}), and in a copy "
                "that has just been made nobody does: nothing was run on it.",
                "Is it the copy? Then let acquire print its URL when nobody is connected to it any more.",
            )
        time.sleep(POLL_SECONDS)


def _others(connection: psycopg.Connection) -> list[str]:
    """Who is connected to the same database: roles. What a pooler keeps open of ours still has our name."""
    rows = connection.execute(
        """
        SELECT DISTINCT rolname FROM pg_stat_activity JOIN pg_roles ON pg_roles.oid = usesysid
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND NOT rolsuper
          AND application_name IS DISTINCT FROM current_setting('application_name') ORDER BY 1
        """
    )
    return [role for (role,) in rows]


def _is_target(name: str, handed_out: Address) -> GreenroomError:
    return GreenroomError(
        f"{handed_out.database} on {handed_out.server} is the database of the target {name} itself, and no copy: "
        "nothing was run on it.",
        "acquire has to print the URL of a copy that release may end: docs/engines.md.",
    )
