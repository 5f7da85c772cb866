"""lock-queue: behind a client that keeps a transaction open, does the migration give up, or does everybody wait?

A migration that needs milliseconds for its work waits for its lock as long as the longest transaction lasts, and
whoever comes after it queues behind. On each table that it locks a client sits in a transaction; probes are the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from greenroom.rehearsal.document import Drill, DrillStep, Evidence, Finding, Stall, Statement
from greenroom.rehearsal.drills.sitting import Company, Kind, Sitter, sitting
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.hazards.drilled import drilled
from greenroom.rehearsal.hazards.evidence import CAREFUL, graded
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.hazards.whole import LOCK_QUEUE
from greenroom.rehearsal.observations import milliseconds as parsed
from greenroom.rehearsal.recorder import BLOCK_READS, BLOCK_WRITES
from greenroom.rehearsal.report.words import counted, milliseconds
from greenroom.rehearsal.watching import Watched

LONGEST, SHORTEST = 1.0, 0.3  # seconds that a client sits where nothing limits the wait
ALL_TOGETHER = 4.0
BEYOND = 0.5  # seconds past a lock_timeout, to see the migration give up
PATIENCE = 15.0  # seconds for a migration that sets a lock_timeout of its own
LOCK_NOT_AVAILABLE = "55P03"
MOST_TABLES = 12


@dataclass(frozen=True)
class Queue:
    """What became of one table's queue: who sat there, whether the migration gave up, and what others felt of it.

    `read_ms` and `write_ms` are the longest waits that fall into the time in which the migration waited; `alone` is
    what the rehearsal measured on the table with nobody there.
    """

    sitter: Sitter
    gave_up: bool
    read_ms: float
    write_ms: float
    alone: Stall | None

    @property
    def waited_ms(self) -> float:
        """The longest that one of the others waited."""
        return max(self.read_ms, self.write_ms)

    @property
    def alone_ms(self) -> float:
        """The longest without the sitter."""
        return max(self.alone.read_ms, self.alone.write_ms) if self.alone else 0.0

    @property
    def convoy(self) -> bool:
        """Others stood still for as long as the migration did: they queued behind it."""
        return self.waited_ms > self.sitter.seconds * 500

    @property
    def endless(self) -> bool:
        """Nothing but the end of that transaction ended it."""
        return self.convoy and not self.gave_up


def hold(stage: Stage) -> Outcome:
    """Migrate a clone with a client on every table that the migration locks. Raises GreenroomError."""
    tables = contended(stage.watched)
    if not tables:
        reason = "No lock is taken that an ordinary client would keep waiting."
        return Outcome(Drill(name="lock-queue", status="passed", reason=reason))
    with stage.pristine_clone() as clone, sitting(clone.admin, tables, _hold(stage, len(tables))) as company:
        queues, last = _queues(stage, lambda: stage.run(clone), company)
    return _judged(stage, queues, last)


def contended(watched: Watched) -> dict[str, Kind]:
    """Tables whose lock a client delays, and which client: a reader stands in the way of ACCESS EXCLUSIVE only.

    For CONCURRENTLY it is a writer: it is waited for, though nobody queues.
    """
    runs = Folded(watched.recorder.runs, watched.relations).runs
    locks = [(s, lock) for run in runs for s in run.statements for lock in s.locks]
    found: dict[str, Kind] = {}
    for statement, lock in locks:
        if lock.mode in BLOCK_READS and not lock.polled:
            found[lock.table] = "reader"
        elif lock.table in watched.recorder.unwritten:
            continue
        elif lock.mode in BLOCK_WRITES or _waits_for_writers(statement):
            found.setdefault(lock.table, "writer")
    known = [table for table in watched.relations if table in found and table != "django_migrations"]
    return {table: found[table] for table in known[:MOST_TABLES]}


def _waits_for_writers(statement: Statement) -> bool:
    return statement.polled and any(lock.mode == "ShareUpdateExclusiveLock" for lock in statement.locks)


def _hold(stage: Stage, tables: int) -> float:
    """How long a client sits: past the lock_timeout, so that the migration is seen giving up; else not long."""
    limit = parsed(stage.watched.ready.get("lock_timeout"))
    if limit is not None:
        return limit / 1000 * 1.2 + BEYOND
    if any("lock_timeout" in s.sql.lower() for run in stage.watched.recorder.runs for s in run.statements):
        return PATIENCE
    return max(SHORTEST, min(LONGEST, ALL_TOGETHER / tables))


def _queues(stage: Stage, migrate: Callable[[], Watched], company: Company) -> tuple[list[Queue], Watched]:
    """Run `migrate` until it is through, as a person would after each time that it gave up."""
    queues: list[Queue] = []
    seen: set[str] = set()
    while True:
        run = migrate()
        gave_up = run.error is not None and run.error.sqlstate == LOCK_NOT_AVAILABLE
        in_the_way = company.blocking if gave_up else None
        for sitter in company.sitters:
            if sitter.since is not None and sitter.table not in seen:
                seen.add(sitter.table)
                felt = _meanwhile(run, sitter)
                queues.append(Queue(sitter, sitter is in_the_way, *felt, _stall(stage.watched, sitter.table)))
        if in_the_way is None:
            return queues, run
        in_the_way.leave()


def _meanwhile(run: Watched, sitter: Sitter) -> tuple[float, float]:
    """Milliseconds of the longest wait of a reader and of a writer while the migration waited for the sitter."""
    stall = _stall(run, sitter.table)
    since, until = (sitter.since or 0.0) - run.start, (sitter.until or time.monotonic()) - run.start
    met = [entry for entry in (stall.blocked if stall else []) if entry.from_s < until and entry.to_s > since]
    read = max(((entry.to_s - entry.from_s) * 1000 for entry in met if entry.reads), default=0.0)
    write = max(((entry.to_s - entry.from_s) * 1000 for entry in met if entry.writes), default=0.0)
    return round(read, 3), round(write, 3)


def _stall(run: Watched, table: str) -> Stall | None:
    return next((stall for stall in run.stalls if stall.table == table), None)


def _judged(stage: Stage, queues: list[Queue], last: Watched) -> Outcome:
    budget = stage.request.budget
    steps = [_step(queue) for queue in queues]
    if last.error:
        what = last.error.exception or last.error.kind
        state = f" (SQLSTATE {last.error.sqlstate})" if last.error.sqlstate else ""
        detail = f"{last.error.migration or 'migrate'} failed with {what}{state}"
        steps.append(DrillStep(what="migrated behind the clients", status="failed", detail=detail))
    over = [
        queue
        for queue in queues
        if queue.convoy and max(queue.read_ms / budget.read_ms, queue.write_ms / budget.write_ms) > CAREFUL
    ]
    endless = [queue for queue in queues if queue.endless]
    failed = any(step.status == "failed" for step in steps)
    drill = Drill(
        name="lock-queue",
        status="failed" if failed else "passed",
        reason=_reason(queues, endless, steps),
        steps=steps,
    )
    return Outcome(drill, [_convoy(stage, over)] if over else [])


def _step(queue: Queue) -> DrillStep:
    """`a reader sat on shop_order for 1.0 s: the migration waited, others up to 1.0 s (3 ms without it)`."""
    what = f"a {queue.sitter.kind} with an open transaction on {queue.sitter.table}"
    did = "gave up" if queue.gave_up else "waited"
    others = f"others waited up to {milliseconds(queue.waited_ms)}" if queue.waited_ms else "nobody else waited"
    detail = (
        f"the migration {did} after {milliseconds(queue.sitter.seconds * 1000)}"
        if queue.gave_up
        else f"the migration waited {milliseconds(queue.sitter.seconds * 1000)}, until the transaction ended"
    )
    without = f" ({milliseconds(queue.alone_ms)} without it)" if queue.alone_ms else ""
    return DrillStep(
        what=what,
        status="failed" if queue.endless else "passed",
        detail=f"{detail}; {others}{without}",
        seconds=round(queue.sitter.seconds, 3),
    )


def _reason(queues: list[Queue], endless: list[Queue], steps: list[DrillStep]) -> str:
    if endless:
        worst = max(endless, key=lambda queue: queue.waited_ms)
        return (
            f"Behind one open transaction on {worst.sitter.table} the migration waits without a limit, and everybody "
            f"behind it: {milliseconds(worst.waited_ms)} here, as long as that transaction lasts in production."
        )
    broken = [step for step in steps if step.status == "failed"]
    if broken:
        return f"{broken[-1].what}: {broken[-1].detail}."
    gave_up = [queue for queue in queues if queue.gave_up]
    if gave_up:
        longest = max(queue.waited_ms for queue in queues)
        return f"It gives up in time: nobody waited longer than {milliseconds(longest)}."
    return f"On {counted(len(queues), 'table')} it was kept waiting, and nobody had to wait for it."


def _convoy(stage: Stage, over: list[Queue]) -> Finding:
    """H44, with what was measured; never worse than a warning: whether anybody sits there, only production knows."""
    worst = max(over, key=lambda queue: queue.waited_ms)
    budget = stage.request.budget
    grave = graded(max(worst.read_ms / budget.read_ms, worst.write_ms / budget.write_ms))
    relation = stage.watched.relations.get(worst.sitter.table)
    how = "gave up only after" if worst.gave_up else "waited"
    return drilled(
        LOCK_QUEUE,
        "lock-queue",
        "note" if grave == "note" else "warning",
        Evidence(
            summary=f"Behind a {worst.sitter.kind} with an open transaction on {worst.sitter.table} the migration "
            f"{how} "
            f"{milliseconds(worst.sitter.seconds * 1000)}; meanwhile readers waited up to "
            f"{milliseconds(worst.read_ms)}, writers up to {milliseconds(worst.write_ms)} "
            f"({milliseconds(worst.alone_ms)} without it).",
            rows=relation.rows if relation else None,
            size_bytes=relation.size_bytes if relation else None,
            read_ms=worst.read_ms,
            write_ms=worst.write_ms,
        ),
        table=worst.sitter.table,
    )
