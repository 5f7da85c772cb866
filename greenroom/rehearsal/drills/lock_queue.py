"""lock-queue: behind a client that keeps a transaction open, does the migration give up, or does everybody wait?

A migration that needs milliseconds for its work waits for its lock as long as the longest transaction lasts, and
whoever comes after it queues behind. On each table that it locks a client sits in a transaction; probes are the others.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Budget, Drill, DrillStep, Evidence, Finding, Stall, Statement
from greenroom.rehearsal.drills.sitting import Company, Kind, Sitter, sitting
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.hazards.drilled import drilled
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.hazards.whole import LOCK_QUEUE
from greenroom.rehearsal.hazards.wording import filled, limit_within
from greenroom.rehearsal.observations import milliseconds as parsed
from greenroom.rehearsal.recorder import BLOCK_READS, BLOCK_WRITES
from greenroom.rehearsal.report.words import counted, milliseconds
from greenroom.rehearsal.watching import Watched

LONGEST, SHORTEST = 1.0, 0.3  # seconds that a client sits where nothing limits the wait
ALL_TOGETHER = 4.0
BEYOND = 0.5  # seconds past a limit, to see the migration give up
MOST_SECONDS = 10.0  # that a client sits to see it; a longer limit is believed
TIMEOUTS = ("lock_timeout", "statement_timeout")
GAVE_UP = ("55P03", "57014")  # by lock_timeout or NOWAIT, by statement_timeout
MOST_TABLES = 12
LIMIT = re.compile(r"\b(?:lock|statement)_timeout\s*(?:=|\bto\b)\s*'?\s*(\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Queue:
    """What became of one table's queue: who sat there, how often the migration gave up, and what others felt of it.

    `read_ms` and `write_ms` are the longest waits that fall into the time in which the migration waited; `alone` is
    what the rehearsal measured on the table with nobody there.
    """

    sitter: Sitter
    gave_up: int
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
        """Others stood still for as long as the migration waited at a stretch: they queued behind it."""
        return self.waited_ms > self.sitter.seconds * 500 > 0

    @property
    def endless(self) -> bool:
        """Nothing but the end of that transaction ended it."""
        return self.convoy and not self.gave_up


def hold(stage: Stage) -> Outcome:
    """Migrate a clone with a client on every table that the migration locks. Raises GreenroomError."""
    tables = contended(stage.watched)
    if not tables:
        reason = "No lock is taken that an ordinary client would keep waiting."
        return Outcome(Drill(name="lock-queue", status="not run", reason=reason))
    tried = dict(list(tables.items())[:MOST_TABLES])
    with stage.pristine_clone() as clone, sitting(clone.admin, tried, _hold(stage, len(tried))) as company:
        queues, last = _queues(stage, lambda: stage.repeat(clone), company)
        if company.lost:
            raise GreenroomError("nobody could look after the clients any more: the copy's server gave no session.")
    return _judged(stage, queues, last, len(tables) - len(tried))


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
    return {table: found[table] for table in known}


def _waits_for_writers(statement: Statement) -> bool:
    return statement.polled and any(lock.mode == "ShareUpdateExclusiveLock" for lock in statement.locks)


def _hold(stage: Stage, tables: int) -> float:
    """How long a client sits: past the limit of a wait, so that the migration is seen giving up; else not long."""
    limit = limit_ms(stage.watched)
    if limit is not None and limit / 1000 * 1.2 + BEYOND <= MOST_SECONDS:
        return limit / 1000 * 1.2 + BEYOND
    return max(SHORTEST, min(LONGEST, ALL_TOGETHER / tables))


def limit_ms(watched: Watched) -> float | None:
    """The longest that the migration lets itself wait, by the session's timeouts and its own; None: nothing ends it."""
    runs = [watched.recorder.around, *watched.recorder.runs]  # a `migrate` of the project's own may set it
    texts = [statement.sql for run in runs for statement in run.statements]
    own = [limit for text in texts for found in LIMIT.findall(text) if (limit := parsed(found))]
    session = [limit for name in TIMEOUTS if (limit := parsed(watched.ready.get(name)))]
    return max(own) if own else min(session, default=None)


def _queues(stage: Stage, migrate: Callable[[], Watched], company: Company) -> tuple[list[Queue], Watched]:
    """Run `migrate` until it is through, as a person would after each time that it gave up."""
    queues: list[Queue] = []
    seen: set[str] = set()
    while True:
        run = migrate()
        in_the_way = _in_the_way(run, company)
        for sitter in company.sitters:
            if (sitter.waits or sitter is in_the_way) and sitter.table not in seen:
                seen.add(sitter.table)
                gave_up = max(sitter.times_given_up, int(sitter is in_the_way))
                queues.append(Queue(sitter, gave_up, *_meanwhile(run, sitter), _stall(stage.watched, sitter.table)))
        if in_the_way is None:
            return queues, run
        in_the_way.leave()


def _in_the_way(run: Watched, company: Company) -> Sitter | None:
    """Whom the migration would not wait for any longer; where it did not wait at all, who sits on a table it names."""
    if run.error is None or run.error.sqlstate not in GAVE_UP:
        return None
    statement = run.error.statement or ""
    named = (sitter for sitter in company.here if sitter.table.rpartition(".")[2] in statement)
    return company.blocking or next(named, next(iter(company.here), None))


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


def _judged(stage: Stage, queues: list[Queue], last: Watched, untried: int) -> Outcome:
    budget = stage.request.budget
    limit = limit_ms(stage.watched)
    late = [queue for queue in queues if queue.endless or _over(queue, budget) > 1]
    steps = [_step(queue, queue in late) for queue in queues]
    if last.error:
        what = last.error.exception or last.error.kind
        state = f" (SQLSTATE {last.error.sqlstate})" if last.error.sqlstate else ""
        detail = f"{last.error.migration or 'migrate'} failed with {what}{state}"
        steps.append(DrillStep(what="migrated behind the clients", status="failed", detail=detail))
    failed = any(step.status == "failed" for step in steps)
    drill = Drill(
        name="lock-queue",
        status="failed" if failed else "passed",
        reason=f"{_reason(queues, steps, limit, budget)}{_not_tried(untried)}",
        steps=steps,
    )
    return Outcome(drill, [_convoy(stage, late)] if late else [])


def _over(queue: Queue, budget: Budget) -> float:
    """How much of the budget others waited in the queue; 0 where there was none."""
    return max(queue.read_ms / budget.read_ms, queue.write_ms / budget.write_ms) if queue.convoy else 0.0


def _not_tried(tables: int) -> str:
    return f" {counted(tables, 'more table')} of those that it locks not tried." if tables else ""


def _step(queue: Queue, failed: bool) -> DrillStep:
    """`a reader sat on shop_order for 1.0 s: the migration waited, others up to 1.0 s (3 ms without it)`."""
    what = f"a {queue.sitter.kind} with an open transaction on {queue.sitter.table}"
    others = f"others waited up to {milliseconds(queue.waited_ms)}" if queue.waited_ms else "nobody else waited"
    waited = milliseconds(queue.sitter.seconds * 1000)
    if not queue.gave_up:
        detail = f"the migration waited {waited}, until the transaction ended"
    elif not queue.sitter.waits:
        detail = "the migration gave up at once"
    else:
        detail = f"the migration gave up after {waited}{f', {queue.gave_up} times' if queue.gave_up > 1 else ''}"
    without = f" ({milliseconds(queue.alone_ms)} without it)" if queue.alone_ms else ""
    return DrillStep(
        what=what,
        status="failed" if failed else "passed",
        detail=f"{detail}; {others}{without}",
        seconds=round(queue.sitter.seconds, 3),
    )


def _reason(queues: list[Queue], steps: list[DrillStep], limit: float | None, budget: Budget) -> str:
    endless = [queue for queue in queues if queue.endless]
    if endless:
        worst = max(endless, key=lambda queue: queue.waited_ms)
        how = "without a limit" if limit is None else f"up to its limit of {milliseconds(limit)}"
        most = "" if limit is None else f", though no longer than {milliseconds(limit)}"
        return (
            f"Behind one open transaction on {worst.sitter.table} the migration waits {how}, and everybody behind it: "
            f"{milliseconds(worst.waited_ms)} here, as long as that transaction lasts in production{most}."
        )
    late = max(queues, key=lambda queue: _over(queue, budget), default=None)
    if late and _over(late, budget) > 1:
        limit_of = (
            budget.read_ms if late.read_ms / budget.read_ms >= late.write_ms / budget.write_ms else budget.write_ms
        )
        return (
            f"Behind one open transaction on {late.sitter.table} the migration gives up only after "
            f"{milliseconds(late.sitter.seconds * 1000)}, and others wait up to {milliseconds(late.waited_ms)}: "
            f"the budget is {milliseconds(limit_of)}."
        )
    broken = [step for step in steps if step.status == "failed"]
    if broken:
        return f"{broken[-1].what}: {broken[-1].detail}."
    gave_up = [queue for queue in queues if queue.gave_up]
    if gave_up:
        longest = max(queue.waited_ms for queue in queues)
        felt = f"nobody waited longer than {milliseconds(longest)}" if longest else "nobody had to wait"
        return f"It gives up in time: {felt}."
    if not queues:
        return "Nobody kept it waiting."
    return f"On {counted(len(queues), 'table')} it was kept waiting, and nobody had to wait for it."


def _convoy(stage: Stage, late: list[Queue]) -> Finding:
    """H44, with what was measured; never worse than a warning: whether anybody sits there, only production knows."""
    worst = max(late, key=lambda queue: queue.waited_ms)
    limit = limit_within(stage.request.budget)
    relation = stage.watched.relations.get(worst.sitter.table)
    how = "gave up only after" if worst.gave_up else "waited"
    return drilled(
        LOCK_QUEUE,
        "lock-queue",
        "warning",
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
        advice=f"Give the migrating session a lock_timeout of {limit}, and run migrate again when it gives up.",
        django=filled(LOCK_QUEUE.django, {"limit": limit}),
    )
