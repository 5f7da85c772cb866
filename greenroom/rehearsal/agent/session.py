"""The agent's own statements on the app's connection, whatever its driver is and whatever the project has set."""

from __future__ import annotations

import sys
from typing import Any, List, Optional, Tuple

IDLE, IN_TRANSACTION = 0, 2  # libpq's PQTRANS_IDLE and PQTRANS_INTRANS
COMMAND_OK, TUPLES_OK = 1, 2  # libpq's PGRES_COMMAND_OK and PGRES_TUPLES_OK


def raw_cursor(connection: Any) -> Any:
    """A plain cursor of the driver, whatever factories the project has set."""
    if hasattr(connection, "pgconn"):
        psycopg = sys.modules["psycopg"]
        return psycopg.ClientCursor(connection, row_factory=psycopg.rows.tuple_row)
    return connection.cursor(cursor_factory=sys.modules["psycopg2.extensions"].cursor)


class Session:
    """The driver's connection below one of Django's: its state, and statements past all wrappers."""

    def __init__(self, wrapper: Any) -> None:
        self.attend(wrapper)

    def attend(self, wrapper: Any) -> None:
        """From now on it is this connection object's; called again after each reconnect."""
        self.wrapper, self._cursor = wrapper, raw_cursor(wrapper.connection)

    def is_in_transaction(self) -> bool:
        connection = self.wrapper.connection
        return connection is not None and (not connection.autocommit or self.status() != IDLE)

    def status(self) -> int:
        connection = self.wrapper.connection
        return IDLE if connection is None else int(connection.info.transaction_status)

    def read(self, sql: str) -> List[Tuple[int, str, Optional[int], int]]:
        """Rows of the reading: oid, mode, file node or place in the WAL, scans."""
        if self.status() != IN_TRANSACTION:
            return self.query(sql)
        result = self.execute(sql)
        if result is None:
            return self._cursor.fetchall()  # type: ignore[no-any-return]
        found = [[result.get_value(row, column) for column in range(4)] for row in range(result.ntuples)]
        return [(int(oid), mode.decode(), int(place or 0), int(count)) for oid, mode, place, count in found]

    def execute(self, sql: str) -> Any:
        """A statement of the agent's own; errors are Django's, as the app would have met them.

        With psycopg 3 by libpq itself, whose answer this returns: a cursor would cost half as much as the server does.
        """
        libpq = getattr(self.wrapper.connection, "pgconn", None)
        with self.wrapper.wrap_database_errors:
            if libpq is None or libpq.pipeline_status:
                self._cursor.execute(sql)
                return None
            result = libpq.exec_(sql.encode())
            if result.status in (COMMAND_OK, TUPLES_OK):
                return result
            raise sys.modules["psycopg"].errors.error_from_result(result)

    def query(self, sql: str) -> List[Any]:
        """Like `execute`, but also where the driver has to begin the transaction first."""
        with self.wrapper.wrap_database_errors:
            self._cursor.execute(sql)
            return self._cursor.fetchall()  # type: ignore[no-any-return]
