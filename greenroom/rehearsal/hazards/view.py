"""The observations as hazards look at them: statements with their operations, transactions, what was locked when."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from greenroom.rehearsal.document import Lock, MigrationRun, Operation, Rewrite, Scan, Severity, Statement
from greenroom.rehearsal.hazards.actions import Action, actions
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.observations import Column, Observations, Relation, Shape

MODES = ("RowExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
_MODEL = re.compile(r"\b(?:to|from|on model|of model|on|model) (\w+)$")


@dataclass(frozen=True)
class Step:
    """One statement of a migration, with what it set out to do."""

    migration: str
    statement: Statement
    actions: tuple[Action, ...]

    @property
    def start(self) -> float:
        """Seconds since the migration was let go."""
        return self.statement.started_s

    @property
    def end(self) -> float:
        """As `start`."""
        return self.statement.started_s + self.statement.seconds

    @property
    def transaction(self) -> tuple[str, int]:
        """What it ran in."""
        return self.migration, self.statement.transaction

    def scan(self, table: str) -> Scan | None:
        """That it read the whole table."""
        return next((scan for scan in self.statement.scans if scan.table == table), None)

    def rewrite(self, table: str) -> Rewrite | None:
        """That it wrote the table anew, not only its indexes."""
        return next((r for r in self.statement.rewrites if r.table == table and not r.only_indexes), None)

    def failed(self, *sqlstates: str) -> bool:
        """Whether it failed with one of these."""
        return self.statement.sqlstate in sqlstates


@dataclass(frozen=True)
class Performed:
    """One operation of a migration, as it ran."""

    migration: str
    operation: Operation | None
    traits: frozenset[str]
    steps: tuple[Step, ...]

    @property
    def kind(self) -> str:
        """Its class name in Django."""
        return self.operation.kind if self.operation else ""

    @property
    def model(self) -> str:
        """The model's name as Django's description of the operation ends with it, else as the table suggests it."""
        described = _MODEL.search(self.operation.description) if self.operation else None
        table = (self.operation.table if self.operation else None) or ""
        return described[1].lower() if described else model_of(table)

    def doing(self, *kinds: str) -> Iterator[tuple[Step, Action]]:
        """Every step and action of these kinds."""
        return ((step, action) for step in self.steps for action in step.actions if action.kind in kinds)


@dataclass(frozen=True)
class Match:
    """A hazard that was seen happening: who did it, to which table, and what was done, in words with figures."""

    performed: Performed
    steps: tuple[Step, ...]
    table: str | None
    did: str
    names: dict[str, str] = field(default_factory=dict, hash=False)
    django: str | None = None  # instead of the catalogue's twin
    severity: Severity | None = None  # None: from the stall against the budget
    rows_only: bool = False  # nobody but writers of changed rows waits
    lock_is_all: bool = False  # the lock itself is the harm, not work done under it
    rows: int | None = None
    blamed_ms: float | None = None  # how much of a stall is its own; None: the work of its steps


class View:
    """Read-only access to the observations, by step, operation and transaction."""

    def __init__(self, observations: Observations) -> None:
        self.observations = observations
        self.transactions: dict[tuple[str, int], list[Step]] = defaultdict(list)
        self.performed: list[Performed] = []
        self._timeouts = _LockTimeouts(bool(observations.lock_timeout_ms))
        self._locks: dict[tuple[str, int], list[Lock]] = defaultdict(list)
        self._planned = {
            (f"{m.app}.{m.name}", op.index): op for m in observations.plan.migrations for op in m.operations
        }
        for statement in _before_all(observations):
            self._timeouts.take(Step("", statement, tuple(actions(statement.sql))))
        for run in Folded(observations.migrations, observations.relations).runs:
            self._take(run)

    def _take(self, run: MigrationRun) -> None:
        migration = f"{run.app}.{run.name}"
        by_operation: dict[int | None, list[Step]] = defaultdict(list)
        for statement in run.statements:
            step = Step(migration, statement, tuple(self._resolved(a, statement) for a in actions(statement.sql)))
            self.transactions[step.transaction].append(step)
            self._locks[step.transaction] += statement.locks
            self._timeouts.take(step)
            by_operation[statement.operation].append(step)
        for index, steps in by_operation.items():
            key = (migration, -1 if index is None else index)
            traits = self.observations.traits.get(key, frozenset())
            self.performed.append(Performed(migration, self._planned.get(key), traits, tuple(steps)))

    def _resolved(self, action: Action, statement: Statement) -> Action:
        """The action with tables as the document names them: SQL may leave the schema to the search path."""
        met = {lock.table for lock in statement.locks} | {scan.table for scan in statement.scans}

        def full(name: str) -> str:
            if not name or name in met or name in self.observations.relations:
                return name
            return next((table for table in [*met, *self.observations.relations] if table.endswith(f".{name}")), name)

        return replace(action, table=full(action.table), parent=full(action.parent))

    def relation(self, table: str) -> Relation | None:
        """The table as it was before the migration; None when it was not there under this name."""
        return self.observations.relations.get(table)

    def rows(self, table: str) -> int | None:
        """Rows at the start, as estimated; None when not known."""
        found = self.relation(table)
        return found.rows if found else None

    def populated(self, table: str) -> bool:
        """Whether there is anything in it that could take time or be in the way."""
        return self.rows(table) != 0

    def held(self, *steps: Step) -> list[Lock]:
        """Locks on tables that were there before, held while the steps ran: theirs, and what their transactions had."""
        times: dict[tuple[str, int], tuple[float, float]] = {}
        for step in steps:
            start, end = times.get(step.transaction, (step.start, step.end))
            times[step.transaction] = min(start, step.start), max(end, step.end)
        return [
            lock
            for transaction, (start, end) in times.items()
            for lock in self._locks[transaction]
            if lock.acquired_s <= end and lock.acquired_s + lock.held_ms / 1000 >= start
        ]

    def holds(self, step: Step, table: str, *modes: str) -> bool:
        """Whether one of these modes was held on the table while the step ran."""
        return any(lock.table == table and lock.mode in modes for lock in self.held(step))

    def locked(self, step: Step, mode: str) -> set[str]:
        """Tables on which this mode was held while the step ran."""
        return {lock.table for lock in self.held(step) if lock.mode == mode}

    def before(self, step: Step) -> list[Step]:
        """Earlier steps of the same transaction."""
        steps = self.transactions[step.transaction]
        return steps[: next(at for at, other in enumerate(steps) if other is step)]

    def locked_before(self, step: Step, table: str, *modes: str) -> bool:
        """Whether an earlier step of the transaction had taken one of these modes on the table."""
        locks = (lock for other in self.before(step) for lock in other.statement.locks)
        return any(lock.table == table and lock.mode in modes for lock in locks)

    def guarded(self, step: Step) -> bool:
        """Whether a lock_timeout was in force for the step: of the session, or set by the migrations themselves."""
        return self._timeouts.limited(step)

    def column(self, table: str, name: str) -> Column | None:
        """The column as it was before the migrations."""
        shape = self.observations.before.get(table)
        return shape.columns.get(name) if shape else None

    def column_after(self, table: str, name: str) -> Column | None:
        """The column as the migrations left it."""
        shape = self.observations.after.get(table)
        return shape.columns.get(name) if shape else None

    def key(self, table: str) -> list[str]:
        """Columns of its primary key before the migrations."""
        shape = self.observations.before.get(table)
        return shape.key if shape else []

    def bounded(self, step: Step, *kinds: str) -> bool:
        """Whether a lock_timeout is in force, and the transaction does nothing but things of these kinds."""
        steps = [other for other in self.transactions[step.transaction] if other.statement.operation is not None]
        done = {action.kind for other in steps for action in other.actions}
        return self.guarded(step) and done <= {*kinds, "set lock_timeout"}

    def rebuilt(self, table: str) -> list[str]:
        """Indexes that were there before, and were built anew by the end, unless a rewrite of the table tells why."""
        steps = (step for steps in self.transactions.values() for step in steps)
        if any(rewrite.table == table for step in steps for rewrite in step.statement.rewrites):
            return []
        found = self.relation(table)
        return [name for one in (table, *(found.partitions if found else ())) for name in self._rebuilt(one)]

    def _rebuilt(self, table: str) -> list[str]:
        before, after = (shapes.get(table, Shape()) for shapes in (self.observations.before, self.observations.after))
        return [name for name, file in before.indexes.items() if after.indexes.get(name, file) != file]

    def checks(self, table: str, column: str) -> list[str]:
        """Checks that were there before and look at the column."""
        shape = self.observations.before.get(table, Shape())
        return [name for name, columns in shape.checks.items() if column in columns]

    def table_of_index(self, step: Step, index: str) -> str | None:
        """The table that has, or had, an index of this name: one that the step locked, where there are several."""
        name = index.rpartition(".")[2]
        known = [table for table, relation in self.observations.relations.items() if name in relation.indexes]
        locked = [lock.table for lock in step.statement.locks]
        return next((table for table in known if table in locked), next(iter([*known, *locked]), None))


def _before_all(observations: Observations) -> list[Statement]:
    """What ran before the first migration: a `migrate` of the project's own may set something for all of them."""
    around, runs = observations.post_migrate, observations.migrations
    first = min((run.started_s for run in runs if run.started_s is not None), default=None)
    return [one for one in around.statements if first is not None and one.started_s < first] if around else []


class _LockTimeouts:
    """Which statements ran under a lock_timeout: the session's, or what a SET made it, for LOCAL in one transaction."""

    def __init__(self, at_start: bool) -> None:
        self._at_start = self._session = at_start
        self._local: dict[tuple[str, int], bool] = {}
        self._limited: set[int] = set()

    def take(self, step: Step) -> None:
        """The next statement, in the order in which they ran."""
        values = {"set lock_timeout": True, "lift lock_timeout": False, "reset lock_timeout": self._at_start}
        for action in step.actions:
            if action.kind in values and "LOCAL" in action.words:
                self._local[step.transaction] = values[action.kind]
            elif action.kind in values:
                self._session = values[action.kind]
        if self._local.get(step.transaction, self._session):
            self._limited.add(id(step.statement))

    def limited(self, step: Step) -> bool:
        """Whether this one was."""
        return id(step.statement) in self._limited


def model_of(table: str) -> str:
    """What a table's model is called by Django's own rule (`app_model`), in small letters."""
    name = table.rpartition(".")[2]
    return name.partition("_")[2].replace("_", "") or name


def at_least(mode: str, floor: str) -> bool:
    """Whether a lock mode is as strong as another, or stronger."""
    return mode in MODES and MODES.index(mode) >= MODES.index(floor)
