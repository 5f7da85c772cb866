"""A partitioned table as one: what stood on its partitions, where the statement was about the whole table.

The document tells of each lock, scan and rewrite where it was seen. Whoever judges asks about the table that the
statement named, or locked as a whole: there they are told once, summed up. A statement about a partition alone stays
where it is, and so does what attaches or detaches one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from greenroom.rehearsal.document import Lock, MigrationRun, Rewrite, Scan, Statement
from greenroom.rehearsal.hazards.actions import actions, altered_table
from greenroom.rehearsal.observations import Relation
from greenroom.rehearsal.probes import Wait

OF_ONE = {"attach", "detach", "create partition"}
CLOSE = 1e-6  # seconds: two locks that came and went together


@dataclass(frozen=True)
class Moved:
    """A lock of a partition that is told of the whole table; seconds as the runs count them."""

    partition: str
    table: str
    start: float
    end: float


class Folded:
    """`runs` are the runs with whole tables in place of their partitions."""

    def __init__(self, runs: Sequence[MigrationRun], relations: Mapping[str, Relation]) -> None:
        self._ancestors = {table: relation.ancestors for table, relation in relations.items() if relation.ancestors}
        self._moved: list[Moved] = []
        self._own: dict[str, list[Lock]] = defaultdict(list)
        self.runs = [self._run(run) for run in runs] if self._ancestors else list(runs)

    def waits(self, waits: Iterable[Wait], start: float) -> list[Wait]:
        """The waits, each of the whole table where a lock of that explains it; `start` is the runs' zero."""
        return [replace(wait, table=self._awaited(wait, start)) for wait in waits]

    def _awaited(self, wait: Wait, start: float) -> str:
        since, until = wait.sent - start, wait.done - start
        if any(lock.acquired_s < until and since < _end(lock) for lock in self._own[wait.table]):
            return wait.table
        met = (one for one in self._moved if one.partition == wait.table and one.start < until and since < one.end)
        return next((one.table for one in met), wait.table)

    def _run(self, run: MigrationRun) -> MigrationRun:
        held: dict[int, list[Lock]] = defaultdict(list)
        for statement in run.statements:
            held[statement.transaction] += statement.locks
        statements = [self._statement(statement, held[statement.transaction]) for statement in run.statements]
        return run.model_copy(update={"statements": statements})

    def _statement(self, statement: Statement, held: list[Lock]) -> Statement:
        done = actions(statement.sql)
        if any(action.kind in OF_ONE for action in done):
            self._keep(statement.locks)
            return statement
        named = _named(statement)
        here = {lock.table for lock in held if lock.acquired_s <= statement.started_s <= _end(lock)}

        def table_of(partition: str) -> str:
            return self._whole(partition, named, lambda ancestor: ancestor in here)

        update = {
            "locks": self._locks(statement.locks, held, named),
            "scans": _scans(statement.scans, table_of),
            "rewrites": _rewrites(statement.rewrites, table_of),
        }
        return statement.model_copy(update=update)

    def _locks(self, locks: Iterable[Lock], held: list[Lock], named: set[str]) -> list[Lock]:
        """Without those of partitions that one of the whole table covers."""
        found: list[Lock] = []
        for lock in locks:
            covering = {other.table for other in held if _covers(other, lock)}
            table = self._whole(lock.table, named, covering.__contains__)
            if table == lock.table:
                self._keep([lock])
            else:
                self._moved.append(Moved(lock.table, table, lock.acquired_s, _end(lock)))
            if table == lock.table or table not in covering:
                found.append(lock.model_copy(update={"table": table}))
        return found

    def _whole(self, table: str, named: set[str], with_it: Callable[[str], bool]) -> str:
        """The topmost table that is meant with this one: the statement names it, or it was locked with it."""
        if _is_named(table, named):
            return table
        whole = (one for one in self._ancestors.get(table, ()) if _is_named(one, named) or with_it(one))
        return next(whole, table)

    def _keep(self, locks: Iterable[Lock]) -> None:
        for lock in locks:
            if lock.table in self._ancestors:
                self._own[lock.table].append(lock)


def _named(statement: Statement) -> set[str]:
    """The tables in the statement's text, as far as its actions are known."""
    done = actions(statement.sql)
    named = {name for action in done for name in (action.table, action.parent)} | {altered_table(statement.sql)}
    return named | {action.name for action in done if action.kind == "reindex"}


def _is_named(table: str, named: set[str]) -> bool:
    """SQL may leave the schema to the search path."""
    return table in named or table.rpartition(".")[2] in named


def _covers(whole: Lock, lock: Lock) -> bool:
    """Whether whoever waits for the one waits at least as long as for the other."""
    as_long = whole.acquired_s <= lock.acquired_s + CLOSE and _end(whole) >= _end(lock) - CLOSE
    as_strong = whole.blocks_reads >= lock.blocks_reads and whole.blocks_writes >= lock.blocks_writes
    return as_long and as_strong and (whole.mode == lock.mode or whole.blocks_writes)


def _end(lock: Lock) -> float:
    return lock.acquired_s + lock.held_ms / 1000


def _scans(scans: Iterable[Scan], table_of: Callable[[str], str]) -> list[Scan]:
    """One a table, with the rows of all that it stands for."""
    found: dict[str, Scan] = {}
    for scan in scans:
        table = table_of(scan.table)
        other = found.get(table)
        facts = {"rows": _sum(other.rows, scan.rows), "scans": max(other.scans, scan.scans)} if other else {}
        found[table] = scan.model_copy(update={"table": table, **facts})
    return list(found.values())


def _rewrites(rewrites: Iterable[Rewrite], table_of: Callable[[str], str]) -> list[Rewrite]:
    """One a table, with rows, bytes and indexes of all that it stands for."""
    found: dict[tuple[str, bool], Rewrite] = {}
    for one in rewrites:
        key = table_of(one.table), one.only_indexes
        other = found.get(key, Rewrite(table=key[0]))
        found[key] = Rewrite(
            table=key[0],
            rows=_sum(other.rows, one.rows),
            size_bytes=_sum(other.size_bytes, one.size_bytes),
            indexes=[*other.indexes, *one.indexes],
            only_indexes=one.only_indexes,
        )
    return list(found.values())


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
