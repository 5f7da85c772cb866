"""Why a server lets nobody in: libpq keeps the SQLSTATE to itself, but for its protocol trace."""

from __future__ import annotations

import re
import select
import tempfile
from dataclasses import dataclass

import psycopg
from psycopg import pq

CONNECT_SECONDS = 5
_REFUSED = re.compile(r'ErrorResponse\s+S "[^"]*" V "\w+" C "(\w{5})"(.*)', re.DOTALL)
_CONTEXT = re.compile(r' W "(.*?)" (?:[stcdn] "|F ")', re.DOTALL)
_PART = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_CALLED = re.compile(rf"({_PART}(?:\.{_PART})?)\(\)")


@dataclass(frozen=True)
class Refused:
    """`function` is one of the database's own that failed, as SQL names it: what a login event trigger calls."""

    sqlstate: str
    function: str | None = None


def why(dsn: bytes) -> Refused | None:
    """The attempt is made once more, traced to a nameless file; None where nobody answers, or it succeeds."""
    with tempfile.TemporaryFile() as traced:
        attempt = pq.PGconn.connect_start(dsn)
        try:
            attempt.trace(traced.fileno())
            _wait_for(attempt)
            attempt.untrace()
        except (psycopg.Error, OSError):
            return None
        finally:
            attempt.finish()
        traced.seek(0)
        return read(traced.read())


def read(trace: bytes) -> Refused | None:
    """The last refusal in it: libpq may have tried several addresses."""
    found = None
    for words in re.split(r"(?=ErrorResponse\t)", trace.decode(errors="replace")):
        if refused := _REFUSED.match(words):
            context = _CONTEXT.search(refused[2])
            called = _CALLED.findall(context[1]) if context else []
            found = Refused(refused[1], called[-1] if called else None)
    return found


def _wait_for(attempt: pq.abc.PGconn) -> None:
    while attempt.status != pq.ConnStatus.BAD:
        polled = attempt.connect_poll()
        if polled not in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
            return
        reading = [attempt.socket] if polled == pq.PollingStatus.READING else []
        writing = [] if reading else [attempt.socket]
        if not any(select.select(reading, writing, [], CONNECT_SECONDS)):
            return
