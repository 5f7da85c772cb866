"""What is true of the plan as a whole: how it queues for its locks, and whether it can go back."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import MigrationRun, PlannedMigration, Severity
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import listed
from greenroom.rehearsal.observations import Observations
from greenroom.rehearsal.report.words import duration

MANY_TABLES = 3  # so many are too many for one transaction, however short it is
A_WHILE = 0.05  # seconds: for so long not even two should be
QUEUED_FOR = {"AccessExclusiveLock", "ShareRowExclusiveLock", "ShareLock", "ExclusiveLock"}


def lock_queue(view: View) -> Iterator[Match]:
    """H44: locks that stop writers were taken with no limit to the wait for them; one finding for the whole plan."""
    steps = [
        step
        for performed in view.performed
        for step in performed.steps
        if any(lock.mode in QUEUED_FOR and not lock.polled for lock in step.statement.locks) and not view.guarded(step)
    ]
    if steps:
        tables = sorted({lock.table for step in steps for lock in step.statement.locks if lock.mode in QUEUED_FOR})
        did = f"no lock_timeout was set while {listed(tables)} {'was' if len(tables) == 1 else 'were'} locked"
        did += ": behind one long transaction, everybody would queue"
        yield Match(Performed("", None, frozenset(), ()), tuple(steps), None, did, severity="note")


def long_transaction(view: View) -> Iterator[Match]:
    """H46: tables that different operations have locked stay locked until all of them are done."""
    for (migration, _), steps in view.transactions.items():
        taken: dict[str, Step] = {}
        for step in steps:
            for lock in step.statement.locks if step.statement.operation is not None else ():
                if lock.mode in QUEUED_FOR and not lock.polled and view.populated(lock.table):
                    taken.setdefault(lock.table, step)
        if len({step.statement.operation for step in taken.values()}) < 2:
            continue
        idle = {table: _work_on_others(steps, table) for table in taken}
        table = max(idle, key=lambda name: idle[name])
        if len(taken) >= MANY_TABLES or idle[table] >= A_WHILE:
            did = f"{len(taken)} tables were locked until the commit ({listed(sorted(taken))})"
            did += f", {table} through {duration(idle[table])} of work on others"
            locking = tuple({id(step): step for step in taken.values()}.values())
            performed, facts = Performed(migration, None, frozenset(), ()), {"table": table}
            yield Match(performed, locking, table, did, facts, blamed_ms=idle[table] * 1000, rows=view.rows(table))


def _work_on_others(steps: list[Step], table: str) -> float:
    """Seconds of the statements that came after the last one that had to do with the table."""
    last = max(at for at, step in enumerate(steps) if _concerns(step, table))
    return sum(step.statement.seconds for step in steps[last + 1 :] if step.statement.operation is not None)


def _concerns(step: Step, table: str) -> bool:
    statement = step.statement
    seen = {one.table for found in (statement.locks, statement.scans, statement.rewrites) for one in found}
    return table in seen or any(action.table == table for action in step.actions)


def irreversible(view: View) -> Iterator[Match]:
    """C10: an operation was applied that cannot be taken back; a warning where no step back is possible at all."""
    observations = view.observations
    closed = {f"{m.app}.{m.name}" for m in no_way_back(observations)}
    for planned in observations.plan.migrations:
        migration = f"{planned.app}.{planned.name}"
        if not _applied(observations, planned):
            continue
        for operation in planned.operations:
            if not operation.reversible:
                did = f"{operation.kind} of {migration} has no way back"
                did += f", so nothing of {planned.app} can go back" if migration in closed else ""
                performed = Performed(migration, operation, frozenset(), ())
                facts = {"operation": operation.kind, "app": planned.app}
                severity: Severity = "warning" if migration in closed else "note"
                yield Match(performed, (), operation.table, did, facts, _twin(operation.kind), severity)


def no_way_back(observations: Observations) -> list[PlannedMigration]:
    """The last applied migration of each app, where that one cannot be taken back: so nothing of the app can."""
    last = {planned.app: planned for planned in observations.plan.migrations if _applied(observations, planned)}
    return [planned for planned in last.values() if not all(operation.reversible for operation in planned.operations)]


def _applied(observations: Observations, planned: PlannedMigration) -> bool:
    def is_it(run: MigrationRun) -> bool:
        return (run.app, run.name) == (planned.app, planned.name) and run.status == "applied"

    return any(is_it(run) for run in observations.migrations)


def _twin(kind: str) -> str:
    if kind == "RunSQL":
        return 'migrations.RunSQL("...", reverse_sql="...")  # or migrations.RunSQL.noop, with the reason'
    return (
        "migrations.RunPython(forwards, backwards)\n\n"
        "# or, where going back needs nothing:\n"
        "migrations.RunPython(forwards, migrations.RunPython.noop)"
    )


LOCK_QUEUE = Hazard(
    id="H44",
    name="lock-queue",
    what="Any blocking lock without lock_timeout.",
    why="A lock that waits behind a long transaction makes all others wait too, even for milliseconds of work.",
    twin="Give the migrating session a lock_timeout within the budget, and run migrate again when it gives up.",
    django="""# settings of the process that migrates
DATABASES["default"]["OPTIONS"] = {"options": "-c lock_timeout=$limit"}

# or in the migration itself, first of its operations
migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop)""",
    detect=lock_queue,
)
HAZARDS = [
    LOCK_QUEUE,
    Hazard(
        id="H46",
        name="long-tx-many-tables",
        what="Changes of several tables in one atomic migration.",
        why="Locks add up and are held until the commit: each table waits for the work on all others.",
        twin="One table that is in use a migration: each then has its own transaction.",
        django="""# first migration
operations = [...]  # what concerns $table, and nothing else

# next migration
operations = [...]  # the next table""",
        detect=long_transaction,
    ),
    Hazard(
        id="C10",
        name="irreversible",
        what="RunPython or RunSQL without a reverse.",
        why="The release before cannot be had back by migrating: only forward, or from a backup.",
        twin="Give it a way back, or noop with the reason why none is needed.",
        django="migrations.RunPython(forwards, backwards)",
        detect=irreversible,
    ),
]
