"""Every statement of one Django connection as it runs, and its transactions' ends."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, Optional, Set

from .events import Events
from .failures import diagnosis
from .readings import Readings
from .server_wide import ServerWide, server_wide
from .session import IDLE, IN_TRANSACTION, Session
from .statements import ROWS_ONLY, Statement

WRITES = frozenset("INSERT UPDATE DELETE MERGE WITH CALL DO".split())
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"
NOT_IN_A_BLOCK = frozenset(("25001", "2D000"))  # active_sql_transaction, invalid_transaction_termination
FURTHER = "The app used a further connection: its statements were not watched."
QUICK = 0.005  # seconds; a reading costs 0.3 ms, which a statement of this length does not feel


class Watch:
    """Sees every statement of one Django connection (it is an execute_wrapper), and its transactions' ends."""

    def __init__(self, wrapper: Any, events: Events, wal: bool) -> None:
        self.operation: Optional[int] = None
        self.statement_ended: Callable[[], None] = lambda: None  # called when its transaction has, where it was alone
        self.heard: Callable[[str], None] = lambda text: None  # called with each statement before it runs
        self.shared = False  # the server is not the copy's alone
        self._events = events
        self._thread, self._process = threading.get_ident(), os.getpid()
        self._n = 0
        self._wide: Optional[str] = None  # what the statement changes beyond the copy
        self._session = Session(wrapper)
        self._readings = Readings(self._session, wal)
        self.attend(wrapper)

    def attend(self, wrapper: Any) -> None:
        """Watch this connection object; called again after each reconnect."""
        self._session.attend(wrapper)
        self._forget_transaction()
        self._readings.begin_anew()
        if self not in wrapper.execute_wrappers:
            wrapper.execute_wrappers.append(self)
            self._wrap_transaction_ends(wrapper)

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Dict[str, Any]) -> Any:
        if os.getpid() != self._process or threading.get_ident() != self._thread:
            return execute(sql, params, many, context)  # a forked child's, or lent to a thread: another story
        if not self._is_attended(context["connection"]):
            self._events.note(FURTHER)
            return execute(sql, params, many, context)
        if self._open and self._session.status() == IDLE:
            self._end("commit", lambda: None)  # ended past Django, by a transaction block of the driver's
        statement = Statement(sql, many, context["cursor"], lambda: execute(sql, params, many, context))
        self._wide = server_wide(statement.word, statement.text, self._session.wrapper.settings_dict["NAME"])
        if self._wide and self.shared:
            self._refuse(self._wide)
        self.heard(statement.text)
        if statement.word in ("SAVEPOINT", "RELEASE"):
            return statement.run()
        if statement.words == ("ROLLBACK", "TO") and self._open:
            return self._roll_back_to_savepoint(statement)
        if self._session.is_in_transaction():
            result = self._run(statement, "transaction")
        elif statement.is_control or statement.keeps_a_cursor:
            result = self._run(statement, "polled")
        else:
            result = self._run_wrapped(statement)
        self.statement_ended()
        return result

    def _is_attended(self, wrapper: Any) -> bool:
        """Whether it is the connection object that is watched now; one of before is again, between transactions."""
        if wrapper is not self._session.wrapper and not self._session.is_in_transaction():
            self._events.send("connection", pid=wrapper.connection.info.backend_pid)
            self.attend(wrapper)
        return wrapper is self._session.wrapper

    def _refuse(self, what: str) -> None:
        self._events.send("refused", what=what)
        raise ServerWide(what)

    # -- statements

    def _run_wrapped(self, statement: Statement) -> Any:
        """BEGIN and COMMIT around a statement that would have been alone: its locks last until they have been read."""
        trouble = self._session.wrapper.errors_occurred
        self._session.execute("BEGIN")
        try:
            result = self._run(statement, "wrapped")
        except BaseException as error:
            retry = diagnosis(error).get("sqlstate") in NOT_IN_A_BLOCK
            with suppress(Exception):  # the connection may be gone: the error that counts is the statement's
                self._end("rollback", lambda: self._session.execute("ROLLBACK"))
            if not retry:
                raise
        else:
            self._end("commit", lambda: self._session.execute("COMMIT"))
            return result
        self._session.wrapper.errors_occurred = trouble
        return self._run(statement, "polled")

    def _run(self, statement: Statement, how: str) -> Any:
        watched = how != "polled" and not statement.is_control
        if watched:
            self._begin_transaction()
            if self._unread and statement.key not in self._seen:
                self._read_late()
            if statement.reads_by_index:
                self._readings.count_scans()
        self._n += 1
        more: Dict[str, Any] = {"many": True} if statement.many else {}
        more.update({"server_wide": self._wide} if self._wide else {})
        self._events.send("statement_start", n=self._n, sql=statement.text, operation=self.operation, how=how, **more)
        started = time.monotonic()
        try:
            result = statement.run()
            if how == "wrapped" and statement.word in WRITES:
                self._session.execute(CHECK_NOW)  # alone, the statement would have come back only after these checks
        except BaseException as error:
            self._fail(error, how)
            raise
        ended = time.monotonic()
        rows = statement.cursor.rowcount
        facts = self._facts(statement, how, ended - started) if watched else self._facts_polled(statement)
        self._tell(ended, rows=rows if rows >= 0 else None, **facts)
        if how == "transaction" and statement.is_control and self._session.status() == IDLE:
            self._end("rollback" if statement.word in ("ROLLBACK", "ABORT") else "commit", lambda: None)
        return result

    def _fail(self, error: BaseException, how: str) -> None:
        self._readings.unsure = True
        found = diagnosis(error)
        facts: Dict[str, Any] = {"exception": type(error).__name__, "sqlstate": found.get("sqlstate")}
        if how == "wrapped" and facts["sqlstate"] in NOT_IN_A_BLOCK:
            facts["retried"] = True
        self._tell(time.monotonic(), **facts)

    def _tell(self, t: float, **facts: Any) -> None:
        nothing: Dict[str, Any] = {"rows": None, "locks": [], "rewrites": [], "scans": [], "wal_bytes": None}
        facts = {**nothing, "exception": None, "sqlstate": None, **facts}
        self._events.send("statement_end", t=t, n=self._n, **facts)

    def _facts(self, statement: Statement, how: str, seconds: float) -> Dict[str, Any]:
        """What the statement left behind, unless it is a quick repetition: those are read once, at the row's end."""
        if statement.key in self._seen and seconds < QUICK and statement.word in ROWS_ONLY:
            self._unread = True
            return {}
        self._seen.add(statement.key)
        self._unread = False
        if self._session.status() != IN_TRANSACTION:
            return {}
        return self._readings.read(statement)

    def _facts_polled(self, statement: Statement) -> Dict[str, Any]:
        """Its locks are gone with it; rewrites still show in the catalogue."""
        self._readings.unsure = True
        if statement.is_control or statement.word in ROWS_ONLY or self._session.status() != IDLE:
            return {}
        return {"rewrites": self._readings.compare_catalogue()}

    def _read_late(self) -> None:
        """What no statement_end has told: quick repetitions, and what ran past Django (COPY, a driver's cursor)."""
        self._unread = False
        facts = self._readings.read(None)
        if facts["locks"] or facts["rewrites"] or facts["scans"]:
            del facts["wal_bytes"]
            self._events.send("reading", n=self._n, **facts)

    # -- transactions

    def _forget_transaction(self) -> None:
        self._open = False
        self._unread = False  # quick repetitions
        self._seen: Set[int] = set()

    def _begin_transaction(self) -> None:
        if not self._open:
            self._open = True
            self._readings.begin()

    def _roll_back_to_savepoint(self, statement: Statement) -> Any:
        result = statement.run()
        if self._session.status() == IN_TRANSACTION:
            released = self._readings.roll_back_to_savepoint()
            if released:
                self._events.send("released", n=self._n, locks=released)
        return result

    def _wrap_transaction_ends(self, wrapper: Any) -> None:
        commit, roll_back, close = wrapper._commit, wrapper._rollback, wrapper._close

        def watched(act: Callable[[], Any], plain: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: act() if wrapper is self._session.wrapper else plain()

        wrapper._commit = watched(lambda: self._commit(commit), commit)
        wrapper._rollback = watched(lambda: self._end("rollback", roll_back), roll_back)
        wrapper._close = watched(lambda: self._end("rollback", close) if self._open else close(), close)

    def _commit(self, commit: Callable[[], Any]) -> Any:
        """Deferred constraints are checked a moment before the commit would: what they read can be seen only so."""
        checked = 0.0
        if self._session.status() == IN_TRANSACTION:
            self._begin_transaction()
            started = time.monotonic()
            self._session.execute(CHECK_NOW)
            checked = time.monotonic() - started
            self._read_late()
        return self._end("commit", commit, checked)

    def _end(self, outcome: str, act: Callable[[], Any], before: float = 0.0) -> Any:
        started = time.monotonic() - before
        try:
            result = act()
        except BaseException:
            outcome = "rollback"
            raise
        finally:
            self._events.send("transaction_end", outcome=outcome, seconds=time.monotonic() - started)
            self._readings.end(outcome)
            self._forget_transaction()
        return result
