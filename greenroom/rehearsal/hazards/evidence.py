"""From a match to a finding: what was locked meanwhile, what clients felt of it, how grave that is for the budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from greenroom.rehearsal.document import (
    Advice,
    Blocked,
    Budget,
    Evidence,
    Finding,
    Lock,
    Severity,
    TableEvidence,
)
from greenroom.rehearsal.hazards import partitioned
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import MODES, Match, View
from greenroom.rehearsal.hazards.wording import filled, limit_within, listed, quoted
from greenroom.rehearsal.report.words import milliseconds, mode

CAREFUL = 0.2  # of a budget: beyond it a stall is a warning
OWN_PART = 0.1  # of a stall: whoever did less of the work than this did not cause it


@dataclass(frozen=True)
class Felt:
    """The longest that a reader and a writer of any of the tables would have waited."""

    read_ms: float = 0.0
    write_ms: float = 0.0

    @property
    def longest(self) -> float:
        """Of the two."""
        return max(self.read_ms, self.write_ms)


def finding(view: View, hazard: Hazard, match: Match, budget: Budget, own_ms: float | None) -> Finding:
    """The finding, with severity from evidence; `own_ms` as `work` has it."""
    locks = locks_meanwhile(view, match)
    felt = felt_meanwhile(view, match, locks)
    longest = max(match.steps, key=lambda step: step.statement.seconds, default=None)
    operation, relation = match.performed.operation, view.relation(match.table or "")
    return Finding(
        hazard=hazard.id,
        name=hazard.name,
        severity=match.severity or severity(felt, budget, own_ms),
        table=match.table,
        migration=match.performed.migration or None,
        operation=operation.index if operation else None,
        evidence=Evidence(
            summary=_summary(match, locks, felt),
            statement=longest.statement.sql if longest else None,
            seconds=sum(step.statement.seconds for step in match.steps) if match.steps else None,
            tables=[_table(view, lock) for lock in locks],
            rows=match.rows,
            size_bytes=relation.size_bytes if relation else None,
            read_ms=round(felt.read_ms, 3),
            write_ms=round(felt.write_ms, 3),
        ),
        advice=_advice(view, hazard, match, budget),
    )


def _advice(view: View, hazard: Hazard, match: Match, budget: Budget) -> Advice:
    """The match's or the catalogue's safe twin with names filled in; another one where the table is partitioned."""
    altered = view.relation(match.names.get("table") or match.table or "")
    own = Advice(summary=hazard.twin, django=match.django or hazard.django)
    found = partitioned.advice(hazard.id, altered) or own
    names = match.names | {"limit": limit_within(budget)}
    names |= {"partitions": partitioned.names(altered)} if altered and altered.partitions else {}
    if not names.get("parent_columns"):
        names["parent_columns"] = quoted(view.key(names.get("parent_table", "")) or ["id"])
    statements = (step.statement.sql for step in match.performed.steps)
    return found.model_copy(update={"django": filled(found.django, names, statements)})


def severity(felt: Felt, budget: Budget, own_ms: float | None = None) -> Severity:
    """By the stall as a part of the budget; `own_ms` is the work to blame for it, None when the lock itself is."""
    if own_ms is not None and own_ms < OWN_PART * felt.longest:
        felt = Felt(min(felt.read_ms, own_ms), min(felt.write_ms, own_ms))
    return graded(max(felt.read_ms / budget.read_ms, felt.write_ms / budget.write_ms))


def graded(part: float) -> Severity:
    """A stall as a part of its budget."""
    return "failure" if part > 1 else "warning" if part > CAREFUL else "note"


def locks_meanwhile(view: View, match: Match) -> list[Lock]:
    """The strongest lock on each table while the match's steps ran: theirs, and what their transactions had before."""
    kept: dict[str, Lock] = {}
    for lock in view.held(*match.steps):
        of_rows = match.rows_only and lock.table == match.table and lock.mode == "RowExclusiveLock"
        counts = lock.blocks_reads or lock.blocks_writes or of_rows
        if counts and (lock.table not in kept or _strength(lock) > _strength(kept[lock.table])):
            kept[lock.table] = lock
    return sorted(kept.values(), key=_strength, reverse=True)


def felt_meanwhile(view: View, match: Match, locks: Iterable[Lock]) -> Felt:
    """What the probes measured during these locks; where they did not, how long the locks were held."""
    read = write = 0.0
    for lock in locks:
        blocked = list(_blocked(view, lock))
        if match.rows_only:
            rows = [entry for entry in blocked if entry.rows_only]
            write = max(write, _longest(rows, lock))
            continue
        if lock.blocks_reads:
            read = max(read, _longest([entry for entry in blocked if entry.reads], lock))
        if lock.blocks_writes:
            write = max(write, _longest([entry for entry in blocked if entry.writes and not entry.rows_only], lock))
    return Felt(read, write)


def _blocked(view: View, lock: Lock) -> Iterator[Blocked]:
    """Measured waits that the lock explains for the most part: a wait may end a little after its lock."""
    end = lock.acquired_s + lock.held_ms / 1000
    for stall in view.observations.stalls:
        for entry in stall.blocked if stall.table == lock.table else ():
            shared = min(end, entry.to_s) - max(lock.acquired_s, entry.from_s)
            if not entry.derived and shared > (entry.to_s - entry.from_s) / 2:
                yield entry


def _longest(entries: list[Blocked], lock: Lock) -> float:
    return max(((entry.to_s - entry.from_s) * 1000 for entry in entries), default=lock.held_ms)


def work(matches: Iterable[Match], match: Match) -> float | None:
    """Milliseconds of work that hazards did to the match's table in its transactions; None when the lock alone counts.

    A quick change of a small table that then stays locked behind somebody else's long work did not cause the stall.
    """
    if match.lock_is_all or match.rows_only or match.blamed_ms is not None:
        return match.blamed_ms
    transactions = {step.transaction for step in match.steps}
    steps = {id(step): step for other in matches if _worked(other, match) for step in other.steps}
    return sum(step.statement.seconds for step in steps.values() if step.transaction in transactions) * 1000


def _worked(other: Match, match: Match) -> bool:
    """Whether the steps of the one are work on the table of the other, and not just a lock of it."""
    return other.table == match.table and other.blamed_ms is None


def _strength(lock: Lock) -> tuple[int, float]:
    return (MODES.index(lock.mode) if lock.mode in MODES else -1, lock.held_ms)


def _table(view: View, lock: Lock) -> TableEvidence:
    relation = view.relation(lock.table)
    return TableEvidence(
        table=lock.table,
        mode=lock.mode,
        held_ms=round(lock.held_ms, 3),
        rows=relation.rows if relation else None,
        size_bytes=relation.size_bytes if relation else None,
    )


def _summary(match: Match, locks: list[Lock], felt: Felt) -> str:
    """`An index was built from 300,000 rows (38 MB) of shop_order in 212 ms; SHARE on shop_order held 215 ms; ...`"""
    held = listed([f"{mode(lock.mode)} on {lock.table} for {milliseconds(lock.held_ms)}" for lock in locks])
    who = "writers of the changed rows" if match.rows_only else "writers"
    reads = f"readers waited up to {milliseconds(felt.read_ms)}" if felt.read_ms else ""
    writes = f"{who} waited up to {milliseconds(felt.write_ms)}" if felt.write_ms else ""
    parts = [
        match.did[:1].upper() + match.did[1:],
        f"held: {held}" if held else "",
        ", ".join(filter(None, (reads, writes))),
    ]
    return "; ".join(filter(None, parts)) + "."
