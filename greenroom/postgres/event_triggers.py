"""Event triggers of a copy: they would run with each command of ours, and can keep it from being done."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import psycopg
from psycopg import sql

SETTING = 170000  # from then on one turns all of them off, those of a login too
ON, OFF = (f"-c event_triggers={value}" for value in ("on", "off"))  # as libpq's `options` have it, for a superuser
_ENABLED = """
SELECT evtname, evtenabled::text, evtfoid::regproc::text FROM pg_catalog.pg_event_trigger
WHERE evtenabled <> 'D' ORDER BY 1
"""
_AS_IT_WAS = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@contextlib.contextmanager
def off(connection: psycopg.Connection) -> Iterator[None]:
    """None runs with what the block does, as far as the role may say so; afterwards each is as it was."""
    with contextlib.ExitStack() as back:
        if not _said(connection, back, "SET event_triggers = off", "RESET event_triggers"):
            enabled = connection.execute(_ENABLED).fetchall()
            stopped = [_stopped(connection, back, name, state) for name, state, _function in enabled]
            if not all(stopped):  # others' run nevertheless where they are enabled ALWAYS
                what = "session_replication_role"
                _said(connection, back, f"SET {what} = replica", f"RESET {what}")
        yield


def off_for_us(connection: psycopg.Connection) -> None:
    """For all sessions to come of the connected superuser, on a server of our own; ON has them on in one."""
    if connection.info.server_version >= SETTING:
        connection.execute("ALTER ROLE CURRENT_USER SET event_triggers = off")


def on_for_us(connection: psycopg.Connection) -> None:
    """Take that back."""
    if connection.info.server_version >= SETTING:
        connection.execute("ALTER ROLE CURRENT_USER RESET event_triggers")


def blamed(connection: psycopg.Connection, error: psycopg.Error) -> tuple[str, str] | None:
    """Which of them raised the error, in words for a sentence, and what to do; None where none did."""
    if connection.closed or not error.diag.context:
        return None
    for name, _state, function in connection.execute(_ENABLED):
        called = re.escape(function.rpartition(".")[2])
        if re.search(rf'(?<![\w$"]){called}\(\)', error.diag.context):
            quoted = sql.Identifier(name).as_string()
            return (
                f"the event trigger {name} forbids it (SQLSTATE {error.sqlstate})",
                f"Connect as a superuser, or have {function}() let {connection.info.user} pass; "
                f"on the copy: ALTER EVENT TRIGGER {quoted} DISABLE.",
            )
    return None


def _stopped(connection: psycopg.Connection, back: contextlib.ExitStack, name: str, state: str) -> bool:
    words = f"ALTER EVENT TRIGGER {sql.Identifier(name).as_string(connection)} "
    return _said(connection, back, f"{words}DISABLE", words + _AS_IT_WAS[state])


def _said(connection: psycopg.Connection, back: contextlib.ExitStack, words: str, undone: str) -> bool:
    """Whether the server took it; then `back` takes it back, where the connection is still there."""
    try:
        connection.execute(words.encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject):
        return False
    back.callback(lambda: connection.closed or connection.execute(undone.encode()))
    return True
