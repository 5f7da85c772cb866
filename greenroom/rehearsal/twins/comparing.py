"""What the twin makes better, what it leaves, and whether it ends in the same schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from greenroom.postgres.catalog import Difference
from greenroom.rehearsal import document as doc
from greenroom.rehearsal.drills import Stage
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.report.words import milliseconds
from greenroom.rehearsal.twins.writing import Written
from greenroom.rehearsal.watching import Watched

NAMED = 6  # differences that are kept
TORN = frozenset(("H06", "H45"))  # an index that is left invalid, or could be: told at any severity


@dataclass(frozen=True)
class End:
    """How what the twin leaves differs from what the migration leaves; the data only where the schema does not."""

    schema: Difference = field(default_factory=Difference)
    data: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """In anything."""
        return bool(self.schema or self.data)


def compared(stage: Stage, one: Written, run: Watched, end: End) -> doc.Twin:
    """The twin with what was measured of it, beside what was measured of the migration."""
    budget, steps = stage.request.budget, set(one.steps)
    found = [finding for finding in judge(run.observations(), budget) if finding.migration in steps]
    waits = _waits(stage.watched.stalls, {one.twin.migration}, run.stalls, steps)
    over = [wait for wait in waits if wait.twin_read_ms > budget.read_ms or wait.twin_write_ms > budget.write_ms]
    passes = not over and not end.differs and all(finding.severity != "failure" for finding in found)
    twin = one.twin.model_copy(
        update={
            "status": "rehearsed",
            "passes": passes,
            "seconds": _seconds(stage.watched, {one.twin.migration}),
            "twin_seconds": _seconds(run, steps),
            "waits": waits,
            "same_schema": not end.schema,
            "same_data": not end.data if not end.schema else None,
            "differences": [*end.schema.sentences, *end.data][:NAMED],
            "remaining": sorted(
                {finding.hazard for finding in found if finding.severity != "note" or finding.hazard in TORN}
            ),
            "files": [] if end.differs else one.files,  # what ends elsewhere is not to be copied
        }
    )
    twin.reason = _reason(twin, over)
    return twin


def _waits(
    stalls: Iterable[doc.Stall], migration: Collection[str], again: Iterable[doc.Stall], steps: Collection[str]
) -> list[doc.TwinWait]:
    """By table, the longest first; a table that nobody waited for is left out."""
    before = {stall.table: _longest(stall, migration) for stall in stalls}
    after = {stall.table: _longest(stall, steps) for stall in again}
    nobody = (0.0, 0.0)
    waits = [
        doc.TwinWait(
            table=table,
            read_ms=before.get(table, nobody)[0],
            write_ms=before.get(table, nobody)[1],
            twin_read_ms=after.get(table, nobody)[0],
            twin_write_ms=after.get(table, nobody)[1],
        )
        for table in before.keys() | after.keys()
        if before.get(table, nobody) != nobody or after.get(table, nobody) != nobody
    ]
    return sorted(waits, key=lambda wait: (-max(wait.read_ms, wait.write_ms), wait.table))


def _longest(stall: doc.Stall, migrations: Collection[str]) -> tuple[float, float]:
    entries = [entry for entry in stall.blocked if entry.migration in migrations]
    read = max(((entry.to_s - entry.from_s) * 1000 for entry in entries if entry.reads), default=0.0)
    write = max(((entry.to_s - entry.from_s) * 1000 for entry in entries if entry.writes), default=0.0)
    return round(read, 3), round(write, 3)


def _seconds(run: Watched, migrations: Collection[str]) -> float:
    return round(sum(one.seconds for one in run.recorder.runs if f"{one.app}.{one.name}" in migrations), 4)


def _reason(twin: doc.Twin, over: list[doc.TwinWait]) -> str:
    if not twin.same_schema:
        return f"It does not reach the same schema, so it is not recommended: {', '.join(twin.differences)}."
    if twin.same_data is False:
        return f"It does not leave the same data, so it is not recommended: {', '.join(twin.differences)}."
    if over:
        worst = max(over, key=lambda wait: max(wait.twin_read_ms, wait.twin_write_ms))
        longest = milliseconds(max(worst.twin_read_ms, worst.twin_write_ms))
        return f"The twin would still keep clients of {worst.table} waiting for {longest}: it does not pass."
    if not twin.passes:
        return f"The twin would still show {', '.join(twin.remaining)}: it does not pass."
    still = f", with {', '.join(twin.remaining)} left to look at" if twin.remaining else ""
    return f"The twin passes{still}: the same schema and data in the end, and nobody waits longer than the budget."
