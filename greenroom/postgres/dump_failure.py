"""Why pg_dump ended, from its last words: it tells no SQLSTATE. What may quote a row is not repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.lock_wait import waited_for_lock

HERE = "this machine"

_DENIED = re.compile(r"permission denied for [\w ]+|query would be affected by row-level security policy for table .+")
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large")
_LOST = (
    "server closed the connection",
    "terminating connection",
    "could not receive data",
    "connection to client lost",
)
_READER = "Use a role that may read everything (GRANT pg_read_all_data), or look with: pg_dump --schema-only DATABASE"
_REASON = re.compile(r"connection to server .* failed: (?:FATAL: +)?(.+)|(could not translate host name .+)")

# what libpq says when it does not connect; its own words are English, those of a server mostly
_NOT_CONNECTED: tuple[tuple[str, str, str], ...] = (
    (
        r"could not translate host name",
        "{place} does not know the name {host}.",
        "Correct host in the target's table: it is the name that the server's own network knows.",
    ),
    (
        r"Connection refused",
        "no PostgreSQL server listens at {server}, as {place} sees it.",
        "Check host and port, and that the server runs and listens there.",
    ),
    (
        r"timeout expired|Connection timed out|No route to host|Network is unreachable",
        "{server} does not answer {place}.",
        "Is a firewall between them, or a VPN off?",
    ),
    (
        r"root certificate file|certificate verify failed|server certificate for|sslrootcert",
        "the certificate of {server} cannot be verified on {place}.",
        "Name the file with its authority's certificate in the target's table: sslrootcert = ... (or sslmode = ...).",
    ),
    (
        r"does not support SSL|SSL support is not compiled in",
        "{server} and the pg_dump of {place} have no TLS in common, and sslmode demands it.",
        "Install a pg_dump that can talk TLS, or correct sslmode in the target's table.",
    ),
    (
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        "{server} does not let {user} in from {place}.",
        "Its pg_hba.conf has no row for that (some rows demand TLS: sslmode in the target's table).",
    ),
    (
        r"password authentication failed",
        "{server} refuses {user}: {refused_password}.",
        "Set it where the target says (password_variable, password_parameter), else PGPASSWORD or ~/.pgpass.",
    ),
    (
        r"no password supplied",
        "{server} asks for a password for {user}, and none was given.",
        "Set it where the target says (password_variable, password_parameter), else PGPASSWORD or ~/.pgpass.",
    ),
    (
        r"too many (?:clients|connections)|connection slots are reserved",
        "{server} has no connection left for {user}.",
        "Wait until others have disconnected, or raise max_connections.",
    ),
    (
        r"the database system is|connections on Unix domain socket",
        "{server} takes no connections at the moment.",
        "It is starting up or shutting down: try again in a moment.",
    ),
)


def failure(said: str, source: Address, *, place: str = HERE) -> GreenroomError:
    """The error for what a pg_dump that ran on `place` has said."""
    explained: Sequence[Callable[[str, Address, str], GreenroomError | None]] = (
        _of_disk,
        _of_privileges,
        _of_locks,
        _of_standby,
        _of_connection,
        _of_loss,
        _of_version,
    )
    found = (explain(said, source, place) for explain in explained)
    return next(filter(None, found), _unexplained(source, place))


def _where(source: Address) -> str:
    return f"{source.database} on {source.server}"


def _of_disk(said: str, source: Address, _place: str) -> GreenroomError | None:
    if not any(words in said for words in _NO_ROOM):
        return None
    return GreenroomError(
        f"the dump of {_where(source)} does not fit on the disk here.",
        "Free some space, or set TMPDIR to another disk.",
    )


def _of_privileges(said: str, source: Address, _place: str) -> GreenroomError | None:
    denied = _DENIED.search(said)
    return GreenroomError(f"pg_dump of {_where(source)} failed: {denied[0]}.", _READER) if denied else None


def _of_locks(said: str, source: Address, _place: str) -> GreenroomError | None:
    timed_out = re.search(r"canceling statement due to (?:statement|lock) timeout", said)
    return waited_for_lock(source) if timed_out else None


def _of_standby(said: str, source: Address, _place: str) -> GreenroomError | None:
    if "conflict with recovery" not in said:
        return None
    return GreenroomError(
        f"{source.server} is a standby, and ended the dump of {source.database}: its primary removed rows that were "
        "still read.",
        "Have hot_standby_feedback = on (or a longer max_standby_streaming_delay) there, or name the primary as host.",
    )


def _of_connection(said: str, source: Address, place: str) -> GreenroomError | None:
    reason = _REASON.search(said)
    if reason is None or any(words in said for words in _LOST):
        return None
    names = {"place": place, "host": source.host, "server": source.server, "user": source.user}
    names["refused_password"] = source.refused_password
    for pattern, sentence, hint in _NOT_CONNECTED:
        if re.search(pattern, reason[0]):
            return GreenroomError(sentence.format(**names), hint)
    told = (reason[1] or reason[2]).rstrip(".")
    return GreenroomError(
        f"pg_dump on {place} cannot connect to {source.server}: {told}.",
        "Is the VPN still on, and does the server run?",
    )


def _of_loss(said: str, source: Address, _place: str) -> GreenroomError | None:
    if not any(words in said for words in _LOST):
        return None
    return GreenroomError(
        f"the server {source.server} went away while {source.database} was dumped.",
        "Is the VPN still on, and does the server run? Then run again.",
    )


def _of_version(said: str, source: Address, place: str) -> GreenroomError | None:
    if "server version mismatch" not in said:
        return None
    return GreenroomError(
        f"the pg_dump of {place} is older than the server {source.server}, and refuses it.",
        "Install the client programs of the server's major version there.",
    )


def _unexplained(source: Address, place: str) -> GreenroomError:
    return GreenroomError(
        f"pg_dump of {_where(source)} failed on {place}, for a reason that may quote rows and is not repeated.",
        "It says why when run by hand there: pg_dump --schema-only DATABASE",
    )
