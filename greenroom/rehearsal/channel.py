"""A connection that is never waited for: a query is sent, its answer is taken when the socket has it.

The observer holds up to thirty of these in one thread. libpq's own asynchronous calls are the cheapest that there are,
and the processor that watching takes is the migration's.
"""

from __future__ import annotations

from dataclasses import replace

from psycopg import pq

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect

# the copy carries its source's settings: a timeout of the application must not end a probe that measures, or rests
_PATIENT = " ".join(
    f"-c {name}=0"
    for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")
)


def patient(address: Address) -> Address:
    """The same, for sessions that no timeout of the application's ends."""
    options = " ".join(filter(None, [address.options.get("options"), _PATIENT]))
    return replace(address, options={**address.options, "options": options, "client_encoding": "UTF8"})


class Channel:
    """One connection, at most one query under way."""

    def __init__(self, address: Address) -> None:
        self._connection = connect(patient(address))
        self._pg = self._connection.pgconn
        self._pg.nonblocking = 1
        self._descriptor = self._pg.socket  # kept: libpq forgets it when the server goes away, a selector must not
        self.busy = False

    def fileno(self) -> int:
        """For a selector."""
        return self._descriptor

    @property
    def pid(self) -> int:
        """Of the session's backend."""
        return self._pg.backend_pid

    def send(self, sql: bytes) -> None:
        """Start a query (several, separated by semicolons, are one). Raises psycopg.OperationalError."""
        self.busy = True
        self._pg.send_query(sql)
        self._pg.flush()

    def receive(self) -> list[pq.abc.PGresult] | None:
        """The answers, once all are there; None until then. Raises psycopg.OperationalError when the server is gone."""
        self._pg.consume_input()
        if self._pg.is_busy():
            return None
        results: list[pq.abc.PGresult] = []
        while not self._pg.is_busy():
            result = self._pg.get_result()
            if result is None:
                self.busy = False
                return self._finish(results)
            results.append(result)
            self._pg.consume_input()
        self._rest = (self._rest or []) + results
        return None

    @property
    def in_failed_transaction(self) -> bool:
        """The last query failed inside a transaction block: a ROLLBACK is due before the next one."""
        return self._pg.transaction_status == pq.TransactionStatus.INERROR

    def close(self) -> None:
        """End the session, whatever it is doing."""
        self._connection.close()

    _rest: list[pq.abc.PGresult] | None = None

    def _finish(self, results: list[pq.abc.PGresult]) -> list[pq.abc.PGresult]:
        results, self._rest = (self._rest or []) + results, None
        return results


def sqlstate(results: list[pq.abc.PGresult]) -> str | None:
    """The SQLSTATE of the first answer that is an error."""
    for result in results:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    return None


def rows(results: list[pq.abc.PGresult]) -> list[tuple[str | None, ...]]:
    """The rows of the first answer that has any, as text."""
    for result in results:
        if result.status == pq.ExecStatus.TUPLES_OK:
            return [
                tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
                for row in range(result.ntuples)
            ]
    return []


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
