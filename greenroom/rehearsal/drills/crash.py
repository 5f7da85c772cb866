"""crash: what a migration that is not atomic leaves when it is ended half-way, and whether `migrate` then finishes.

After each statement the app's process ends, as a killed task does; in the middle of each CONCURRENTLY its backend is
ended. Then `migrate` is run again, as the next deployment would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from greenroom.copies.acquiring import Acquired
from greenroom.copies.cloning import cloned
from greenroom.postgres import catalog
from greenroom.postgres.catalog import Catalog
from greenroom.postgres.server import connect
from greenroom.rehearsal import values
from greenroom.rehearsal.document import Drill, DrillStep, Evidence, Finding, MigrationRun, Statement
from greenroom.rehearsal.drills.sitting import sitting
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.hazards import CATALOGUE
from greenroom.rehearsal.hazards.actions import actions
from greenroom.rehearsal.hazards.drilled import drilled
from greenroom.rehearsal.observations import Relation
from greenroom.rehearsal.report.words import counted, cut, label
from greenroom.rehearsal.request import Halt
from greenroom.rehearsal.watching import Watched

MOST_POINTS = 16  # of one migration: a loop of ten thousand batches is not crashed ten thousand times
LONGEST_WAIT = 60.0  # seconds that a CONCURRENTLY is held in its middle, until it is struck
SHOWN = 60  # characters of a statement
INVALID = " invalid"
CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)
SETS = re.compile(r"\s*(?:SET|RESET)\b", re.IGNORECASE)
WRITES = re.compile(
    r"[\s(]*(?:INSERT|UPDATE|DELETE|MERGE|COPY|WITH|CALL|DO|SELECT)\b", re.IGNORECASE
)  # it may, and then locks tell


@dataclass(frozen=True)
class Point:
    """Where it is ended: when `after` statements have ended, or in the `middle` of the next one."""

    after: int
    statement: Statement
    middle: bool = False

    @property
    def words(self) -> str:
        """For people."""
        where = "in the middle of" if self.middle else "after"
        return f"{where} statement {self.after + self.middle} ({cut(self.statement.sql, SHOWN)})"


@dataclass(frozen=True)
class Result:
    """What the next `migrate` made of it; `invalid` are the indexes that the crash left."""

    point: Point
    error: str | None
    difference: list[str]  # of the schema, and of the rows that it writes
    invalid: list[str]
    struck: bool = True

    @property
    def repeatable(self) -> bool:
        """It ran to its end, and schema and rows are the same as without the crash."""
        return self.error is None and not self.difference


def hold(stage: Stage) -> Outcome:
    """Crash every migration that is not atomic at each of its points. Raises GreenroomError."""
    fragile = [run for run in stage.watched.recorder.runs if not run.atomic and points(run)]
    if not fragile:
        reason = "Every migration is atomic: one that is ended half-way is taken back whole."
        return Outcome(Drill(name="crash", status="not run", reason=reason))
    wanted = _catalog(stage.copy)
    results = {label(run): _crashed(stage, run, wanted) for run in fragile}
    steps = [_step(run, result) for run in fragile for result in results[label(run)]]
    findings = [found for run in fragile for found in _finding(run, results[label(run)])]
    left_out = sum(max(0, len(points(run)) - MOST_POINTS) for run in fragile)
    failed = any(step.status == "failed" for step in steps)
    drill = Drill(
        name="crash",
        status="failed" if failed else "passed",
        reason=_reason(steps, left_out),
        steps=steps,
    )
    return Outcome(drill, findings)


def points(run: MigrationRun) -> list[Point]:
    """Every place where it could be ended with something done and not recorded yet."""
    found: list[Point] = []
    done = 0
    for statement in run.statements:
        if "django_migrations" in statement.sql and statement.operation is None:
            break
        if statement.polled and CONCURRENTLY.search(statement.sql):
            found.append(Point(done, statement, middle=True))
        done += statement.calls
        found.append(Point(done, statement))
    return found


def chosen(run: MigrationRun) -> list[Point]:
    """At most MOST_POINTS of them, evenly spread, the first and the last among them."""
    every = points(run)
    if len(every) <= MOST_POINTS:
        return every
    return [every[round(at * (len(every) - 1) / (MOST_POINTS - 1))] for at in range(MOST_POINTS)]


def _crashed(stage: Stage, run: MigrationRun, wanted: Catalog) -> list[Result]:
    results = []
    rows = Rows(stage, written(run))
    with _before(stage, run) as base:
        for point in chosen(run):
            stage.progress.detail(f"{label(run)} ended {point.words}")
            with cloned(base, stage.request.source) as clone:
                struck = _struck(stage, clone, run, point) if point.middle else _ended(stage, clone, run, point)
                found = _catalog(clone)
                invalid = [name.removeprefix("index ") for name, one in found.items() if one.words.endswith(INVALID)]
                again = stage.repeat(clone, probed_tables=0)
                difference = (
                    [] if again.error else [*catalog.difference(wanted, _catalog(clone)).sentences, *rows.others(clone)]
                )
                results.append(Result(point, _error(again), difference, invalid, struck))
    return results


def written(run: MigrationRun) -> set[str]:
    """Tables whose rows its statements write."""
    writing = [statement for statement in run.statements if WRITES.match(statement.sql)]
    locks = [lock for statement in writing for lock in statement.locks if lock.mode == "RowExclusiveLock"]
    return {lock.table for lock in locks} - {"django_migrations"}


class Rows:
    """What the written tables hold after a whole run; columns that no two runs fill alike do not count."""

    def __init__(self, stage: Stage, tables: set[str]) -> None:
        self._stage, self._tables = stage, tables
        self._wanted = _held(stage.copy, tables)
        self._volatile: set[str] | None = None

    def others(self, clone: Acquired) -> list[str]:
        """What is not as after a run without a crash, in words."""
        found = values.differing(self._wanted, _held(clone, self._tables))
        if found and self._volatile is None:
            with self._stage.pristine_clone() as control:
                self._stage.repeat(control, probed_tables=0)
                self._volatile = set(values.differing(self._wanted, _held(control, self._tables)))
        return [words for name, words in found.items() if name not in (self._volatile or ())]


def _held(copy: Acquired, tables: set[str]) -> values.State:
    if not tables:
        return {}
    with connect(copy.admin) as connection:
        return values.read(connection, tables)


@contextmanager
def _before(stage: Stage, run: MigrationRun) -> Iterator[Acquired]:
    """A clone that all earlier migrations have been applied to."""
    with ExitStack() as stack:
        base = stage.pristine
        if run is not stage.watched.recorder.runs[0]:
            base = stack.enter_context(stage.pristine_clone())
            stage.repeat(base, halt=Halt(label(run), 0), probed_tables=0)
        yield base


def _ended(stage: Stage, clone: Acquired, run: MigrationRun, point: Point) -> bool:
    return stage.repeat(clone, halt=Halt(label(run), point.after), probed_tables=0).halted


def _struck(stage: Stage, clone: Acquired, run: MigrationRun, point: Point) -> bool:
    """A client keeps CONCURRENTLY waiting in its middle; then the backend is ended. False: it did not wait."""
    with ExitStack() as company:
        struck: list[int] = []

        def strike(connection: psycopg.Connection, pid: int) -> None:
            # on the clone: beside its source, the number may be a session of the source's by now
            end = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND datname = current_database()"
            )
            connection.execute(end, [pid])
            struck.append(pid)

        def sit_down() -> None:
            tables = tables_of(point.statement, stage.watched.relations)
            company.enter_context(
                sitting(clone.admin, dict.fromkeys(sorted(tables), "writer"), LONGEST_WAIT, strike, leave=True)
            )

        stage.repeat(clone, halt=Halt(label(run), point.after, sit_down), probed_tables=0)
    return bool(struck)


def tables_of(statement: Statement, relations: Mapping[str, Relation]) -> set[str]:
    """Those whose clients CONCURRENTLY waits for: as it was seen, or where it was too quick for that, as it says."""
    seen = {lock.table for lock in statement.locks if lock.table in relations}
    named = {name for action in actions(statement.sql) for name in (action.table, action.name) if name}
    indexed = {table for table, relation in relations.items() if named & {*relation.indexes}}
    return seen or (named & relations.keys()) | indexed


def _error(again: Watched) -> str | None:
    if again.error is None:
        return None
    state = f" (SQLSTATE {again.error.sqlstate})" if again.error.sqlstate else ""
    return f"{again.error.migration or 'migrate'} failed with {again.error.exception or again.error.kind}{state}"


def lone(run: MigrationRun) -> bool:
    """One concurrent statement and nothing else but limits around it: as safe as it can be, and quickly repaired."""
    own = [one for one in run.statements if one.operation is not None and not SETS.match(one.sql)]
    return len(own) == 1 and own[0].polled


def _step(run: MigrationRun, result: Result) -> DrillStep:
    what = f"{label(run)} ended {result.point.words}"
    if not result.struck:
        return DrillStep(what=what, status="note", detail="it was over too soon to be ended there")
    if result.repeatable:
        return DrillStep(what=what, status="passed", detail="migrate finished when it was run again")
    left = f"; left invalid: {', '.join(result.invalid)}" if result.invalid else ""
    detail = result.error or f"migrate finished, but {', '.join(result.difference[:4])}"
    return DrillStep(what=what, status="note" if lone(run) else "failed", detail=f"{detail}{left}")


def _finding(run: MigrationRun, results: list[Result]) -> Iterator[Finding]:
    """H06, one a migration, at the first place from which it does not go on."""
    broken = [result for result in results if not result.repeatable]
    if not broken:
        return
    first = broken[0]
    outcome = first.error or f"migrate finished, but {', '.join(first.difference[:4])}"
    left = f"; left invalid: {', '.join(first.invalid)}" if first.invalid else ""
    others = f"; the same at {counted(len(broken) - 1, 'more place')}" if len(broken) > 1 else ""
    yield drilled(
        CATALOGUE["H06"],
        "crash",
        "note" if lone(run) else "warning",
        Evidence(
            summary=f"Ended {first.point.words}, {label(run)} did not go on: {outcome}{left}{others}.",
            statement=first.point.statement.sql,
        ),
        table=next((lock.table for lock in first.point.statement.locks), None),
        migration=label(run),
        advice=_repair(first) if lone(run) else None,
    )


def _repair(result: Result) -> str:
    indexes = result.invalid or ["the index"]
    drop = "; ".join(f"DROP INDEX CONCURRENTLY IF EXISTS {name}" for name in indexes)
    return f"This is the safe way to do it. Should it ever be cut off: {drop}; then run migrate again."


def _reason(steps: list[DrillStep], left_out: int) -> str:
    failed = [step for step in steps if step.status == "failed"]
    more = f" {counted(left_out, 'further place')} not tried." if left_out else ""
    if failed:
        return f"{failed[0].what}: {failed[0].detail}.{more}"
    noted = [step for step in steps if step.status == "note"]
    if noted:
        return f"{noted[0].what}: {noted[0].detail}.{more}"
    return f"Ended at {counted(len(steps), 'place')}, migrate finished each time when it was run again.{more}"


def _catalog(copy: Acquired) -> Catalog:
    with connect(copy.admin) as connection:
        return catalog.read(connection)
