"""From the agent's events to migrations, statements and locks: what ran, what it took, and for how long it held it.

A lock counts from the start of the statement that took it (a statement that waits for its lock makes others wait from
then on) to the end of its transaction. Executions of the same normalised SQL in one transaction are folded into one
statement, so that a backfill of a hundred thousand rows does not make a document of a hundred thousand entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from greenroom.rehearsal.agent_process import Event
from greenroom.rehearsal.document import Lock, MigrationRun, Operation, Plan, PlannedMigration, Rewrite, Scan, Statement
from greenroom.rehearsal.sql import blanked, normalise, only_rows

BLOCK_READS = {"AccessExclusiveLock"}
BLOCK_WRITES = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}


def label(qualified: str) -> str:
    """A table's name as the document has it: without the schema where that is public."""
    return qualified.removeprefix("public.")


@dataclass
class Recorder:
    """Fed with every event in order; `runs` and `around` hold what has been seen so far."""

    start: float = 0.0  # time.monotonic() when the migration was let go
    runs: list[MigrationRun] = field(default_factory=list)
    around: MigrationRun = field(
        default_factory=lambda: MigrationRun(app="django", name="post_migrate", status="applied")
    )
    sql: str = ""  # normalised SQL of the statement that runs now, or ran last
    unfinished: str | None = None  # the same, where it still runs or has failed: what ran well is not to blame
    server_wide: str | None = None  # what `unfinished` changes beyond the copy, as `CREATE ROLE`
    failure: Event | None = None
    done: bool = False
    halted: bool = False  # cut off on purpose
    ended: float | None = None  # time.monotonic() of the agent's last word, before its interpreter shuts down
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    models: dict[tuple[str, int], list[str]] = field(default_factory=dict)  # of the code, by migration and operation
    blank: dict[int, str] = field(default_factory=dict)  # by id() of a statement that changes the schema: `sql.blanked`
    unwritten: frozenset[str] = frozenset()  # materialized views: no client writes them, so none waits to
    _transaction: int = 0
    _open: tuple[Event, Statement] | None = None
    _last: Statement | None = None  # the one that a later reading belongs to
    _began: float = 0.0  # when that was sent, or, for a transaction without statements, when the one before it ended
    _names: dict[int, str] = field(default_factory=dict)  # by oid: a table keeps the name that clients know it by
    _calls: dict[tuple[str, int | None], Statement] = field(default_factory=dict)
    _held: list[Lock] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)  # tables that the open transaction has locked or written to
    _current: MigrationRun | None = None

    def take(self, event: Event) -> None:
        """One event; those that this room has no use for are passed over."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler:
            handler(event)

    @property
    def migration(self) -> str | None:
        """`app.name` of the migration that runs now."""
        return f"{self._current.app}.{self._current.name}" if self._current else None

    @property
    def running(self) -> Event | None:
        """The `statement_start` of the statement that runs now."""
        return self._open[0] if self._open else None

    def polled(self, table: str, mode: str, first: float, last: float) -> None:
        """A lock of the running statement, seen from outside between two times of time.monotonic()."""
        if self._open:
            lock = self._lock(label(table), mode, first - self.start)
            lock.polled, lock.held_ms = True, (last - first) * 1000
            self._open[1].locks.append(lock)

    def close(self, now: float) -> None:
        """Nothing more will come: what is still open ends now."""
        if self._open:
            started, statement = self._open
            statement.seconds += now - started["t"]
            statement.longest_seconds = max(statement.longest_seconds, now - started["t"])
        self._end_transaction(now)
        if self._current and self._current.status != "applied":
            self._current.seconds = now - self.start - (self._current.started_s or 0.0)

    def _on_migration_start(self, event: Event) -> None:
        self.unfinished = None
        self._current = MigrationRun(
            app=event["app"],
            name=event["name"],
            atomic=event["atomic"],
            started_s=event["t"] - self.start,
            status="failed",
        )
        self.runs.append(self._current)

    def _on_migration_end(self, event: Event) -> None:
        if self._current:
            self._current.status = event["status"]
            self._current.seconds = event["t"] - self.start - (self._current.started_s or 0.0)
        if event["status"] == "applied":
            self._current = None

    def _on_statement_start(self, event: Event) -> None:
        self.sql = self.unfinished = normalise(event["sql"])
        self.server_wide = event.get("server_wide")
        key = (self.sql, event["operation"])
        statement = self._calls.get(key)
        if statement is None:
            statement = Statement(
                sql=self.sql,
                calls=0,
                operation=event["operation"],
                started_s=event["t"] - self.start,
                seconds=0.0,
                longest_seconds=0.0,
                transaction=self._transaction,
                polled=event["how"] == "polled",
            )
            self._calls[key] = statement
            (self._current or self.around).statements.append(statement)
            self._keep_blank(statement, event["sql"])
        self._open, self._last, self._began = (event, statement), statement, event["t"]

    def _keep_blank(self, statement: Statement, sql: str) -> None:
        """What may be asked of others about the statement: nothing of the data is left in it."""
        blank = blanked(sql) if statement.operation is not None and not only_rows(statement.sql) else None
        if blank is not None:
            self.blank[id(statement)] = blank

    def _on_statement_end(self, event: Event) -> None:
        if not self._open:
            return
        (started, statement), self._open = self._open, None
        if not event.get("exception"):
            self.unfinished = None
        if event.get("retried"):
            self._forget(statement)
            return
        seconds = event["t"] - started["t"]
        statement.calls += 1
        statement.seconds += seconds
        statement.longest_seconds = max(statement.longest_seconds, seconds)
        statement.sqlstate = event.get("sqlstate")
        if event.get("rows") is not None and event["rows"] >= 0:
            statement.rows = (statement.rows or 0) + event["rows"]
        if event.get("wal_bytes") is not None:
            statement.wal_bytes = (statement.wal_bytes or 0) + event["wal_bytes"]
        self._take_reading(statement, started["t"], event)
        if statement.polled:
            self._end_transaction(event["t"])

    def _on_reading(self, event: Event) -> None:
        """Found after its statement had ended: repetitions are read once, what ran past Django before the commit."""
        if self._last:
            self._take_reading(self._last, self._began, event)

    def _on_released(self, event: Event) -> None:
        """Given back in the middle of the transaction, by ROLLBACK TO SAVEPOINT."""
        given_back = {(self._name(seen), seen["mode"]) for seen in event["locks"]}
        for lock in [lock for lock in self._held if (lock.table, lock.mode) in given_back]:
            lock.held_ms = (event["t"] - self.start - lock.acquired_s) * 1000
            self._held.remove(lock)
        self.locked = {lock.table for lock in self._held}

    def _name(self, seen: Event) -> str:
        return self._names.setdefault(seen["oid"], label(seen["table"]))

    def _lock(self, table: str, mode: str, acquired_s: float) -> Lock:
        return Lock(
            table=table,
            mode=mode,
            acquired_s=acquired_s,
            held_ms=0.0,
            blocks_reads=mode in BLOCK_READS,
            blocks_writes=mode in BLOCK_WRITES and table not in self.unwritten,
        )

    def _take_reading(self, statement: Statement, started: float, event: Event) -> None:
        locks = [self._lock(self._name(seen), seen["mode"], started - self.start) for seen in _old(event, "locks")]
        statement.locks += locks
        self._held += locks
        self.locked.update(lock.table for lock in locks)
        for seen in _old(event, "rewrites"):
            facts = {key: seen[key] for key in ("rows", "size_bytes", "indexes", "only_indexes")}
            statement.rewrites.append(Rewrite(table=self._name(seen), **facts))
        for seen in _old(event, "scans"):
            self._take_scan(statement, seen)

    def _take_scan(self, statement: Statement, seen: Event) -> None:
        table = self._name(seen)
        for scan in statement.scans:
            if scan.table == table:
                scan.scans += seen["scans"]
                return
        strongest = max((lock for lock in self._held if lock.table == table), key=_strength, default=None)
        mode = strongest.mode if strongest else None
        statement.scans.append(Scan(table=table, rows=seen["rows"], scans=seen["scans"], lock=mode))

    def _on_transaction_end(self, event: Event) -> None:
        self._end_transaction(event["t"])

    def _on_refused(self, event: Event) -> None:
        self.refused.append(event["what"])

    def _on_note(self, event: Event) -> None:
        self.notes.append(event["what"])

    def _on_model(self, event: Event) -> None:
        self.models.setdefault((self.migration or "", event["operation"]), []).append(event["model"])

    def _on_done(self, event: Event) -> None:
        self.done, self.ended = True, event["t"]

    def _on_halted(self, event: Event) -> None:
        self.halted, self.ended = True, event["t"]

    def _on_failed(self, event: Event) -> None:
        self.failure, self.ended = event, event["t"]

    def _end_transaction(self, now: float) -> None:
        for lock in self._held:
            lock.held_ms = (now - self.start - lock.acquired_s) * 1000
        self._held.clear()
        self.locked.clear()
        self._calls.clear()
        self._transaction += 1
        self._began = now

    def _forget(self, statement: Statement) -> None:
        if statement.calls == 0:
            self.blank.pop(id(statement), None)
            (self._current or self.around).statements.remove(statement)
        self._calls.clear()


def _old(event: Event, kind: str) -> list[Event]:
    """What was seen of relations that existed before the rehearsal: of new ones there are no clients."""
    return [seen for seen in event.get(kind, ()) if not seen["new"]]


def _strength(lock: Lock) -> tuple[bool, bool]:
    return lock.blocks_reads, lock.blocks_writes


def plan_of(event: Event, fingerprint: str) -> Plan:
    """The document's plan from the agent's `plan` event."""
    return Plan(fingerprint=fingerprint, migrations=[_planned(migration) for migration in event["migrations"]])


def _planned(migration: Event) -> PlannedMigration:
    operations = [
        Operation(
            index=operation["index"],
            kind=operation["kind"],
            description=operation["description"],
            table=label(operation["table"]) if operation["table"] else None,
            name=operation["name"],
            field=operation["field"],
            reversible=operation["reversible"],
        )
        for operation in migration["operations"]
    ]
    return PlannedMigration(
        app=migration["app"],
        name=migration["name"],
        atomic=migration["atomic"],
        sha256=migration["sha256"],
        operations=operations,
    )
