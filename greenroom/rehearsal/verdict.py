"""The verdict: may these migrations go out? From what was measured, with the reasons in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenroom.rehearsal.document import Budget, Drill, Finding, RehearsalError, Stall, VerdictName
from greenroom.rehearsal.hazards.evidence import CAREFUL
from greenroom.rehearsal.hazards.whole import no_way_back
from greenroom.rehearsal.observations import Observations
from greenroom.rehearsal.report.words import milliseconds

Reason = tuple[VerdictName, float, str]  # the answer that it demands, its weight among equals, the sentence
ORDER: tuple[VerdictName, ...] = ("fail", "warn", "pass")


def decide(
    observations: Observations, findings: list[Finding], budget: Budget, drills: Sequence[Drill] = ()
) -> tuple[VerdictName, list[str]]:
    """The answer and why, the most important reason first; a pass says what it rests on."""
    if not observations.plan.migrations and observations.error is None:
        return "pass", ["There are no pending migrations: nothing to rehearse."]
    reasons = [*_failed(observations), *_stalls(observations.stalls, budget), *_rows(observations, findings, budget)]
    reasons += [*_cannot_go_back(observations), *_left(observations), *_lost(observations, findings)]
    reasons += [*_drilled(drills), *_found_by_drills(findings)]
    if not reasons:
        return "pass", [_calm(observations)]
    reasons.sort(key=lambda reason: (ORDER.index(reason[0]), -reason[1]))
    return reasons[0][0], [sentence for _, _, sentence in reasons]


def _failed(observations: Observations) -> Iterator[Reason]:
    error = observations.error
    if error:
        yield "fail", float("inf"), _sentence(error)


def _sentence(error: RehearsalError) -> str:
    where = error.migration or "The migration"
    if error.kind == "timeout":
        waiting = f" while it waited for {error.waiting_for}" if error.waiting_for else ""
        return f"{where} did not end in time and was stopped{waiting}."
    if error.kind == "migration failed":
        exception = (error.exception or "an exception").rpartition(".")[2]
        state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
        table = f" on {error.table}" if error.table else ""
        return f"{where} failed with {exception}{state}{table}."
    return f"The app's process ended in the middle of {error.migration or 'the migration'}."


def _stalls(stalls: list[Stall], budget: Budget) -> Iterator[Reason]:
    for stall in stalls:
        for who, ms, limit in (
            ("Readers", stall.read_ms, budget.read_ms),
            ("Writers", stall.write_ms, budget.write_ms),
        ):
            yield from _over(who, stall.table, ms, limit)


def _rows(observations: Observations, findings: list[Finding], budget: Budget) -> Iterator[Reason]:
    """Stalls that no probe met and only the locks of a finding tell: rows that a backfill held."""
    told = {stall.table: stall.write_ms for stall in observations.stalls}
    for finding in findings:
        ms, table = finding.evidence.write_ms, finding.table
        if finding.hazard == "H42" and table and ms > told.get(table, 0.0):
            yield from _over("Writers of changed rows", table, ms, budget.write_ms)


def _over(who: str, table: str, ms: float, limit: float) -> Iterator[Reason]:
    if ms > CAREFUL * limit:
        answer: VerdictName = "fail" if ms > limit else "warn"
        budget = (
            f"the budget is {milliseconds(limit)}"
            if ms > limit
            else f"more than a fifth of the {milliseconds(limit)} budget"
        )
        yield answer, ms / limit, f"{who} of {table} stand still for {milliseconds(ms)}: {budget}."


def _cannot_go_back(observations: Observations) -> Iterator[Reason]:
    for planned in no_way_back(observations):
        yield (
            "warn",
            0.0,
            f"{planned.app}.{planned.name} cannot be taken back, so nothing of {planned.app} can go back.",
        )


def _drilled(drills: Sequence[Drill]) -> Iterator[Reason]:
    """Drills that failed or broke off; only what breaks the running release is a reason to stay at home."""
    for drill in drills:
        if drill.status == "failed":
            yield "fail" if drill.name == "old-release" else "warn", 0.1, f"Drill {drill.name}: {drill.reason}"
        elif drill.status == "broken off":
            yield "warn", 0.1, f"Drill {drill.name} could not be held to its end: {drill.reason}"


def _found_by_drills(findings: list[Finding]) -> Iterator[Reason]:
    """What a drill that was passed has found all the same: values that are lost, rows that nobody understands."""
    for finding in findings:
        if finding.drill and finding.severity == "warning":
            yield "warn", 0.05, f"Drill {finding.drill}: {finding.evidence.summary}"


def _left(observations: Observations) -> Iterator[Reason]:
    """What the migrations left in the catalogue that the release before will meet."""
    for column in observations.left.required_columns:
        why = f"it does not know {column.column}, which is NOT NULL and has no default"
        yield "warn", 0.0, f"The release before cannot insert into {column.table}: {why}."
    for index in observations.left.invalid_indexes:
        yield "warn", 0.0, f"The index {index.index} on {index.table} was left invalid."


def _lost(observations: Observations, findings: list[Finding]) -> Iterator[Reason]:
    """Views that went without a word: whoever reads them will fail."""
    for finding in findings:
        if finding.hazard == "H48" and observations.error is None:
            gone = ", ".join(sorted(observations.aftermath.views_gone))
            yield "fail", 0.2, f"{finding.migration} has dropped what it does not name: {gone}."


def _calm(observations: Observations) -> str:
    totals, count = observations.totals, len(observations.plan.migrations)
    what = "The migration was applied" if count == 1 else f"All {count} migrations were applied"
    if not totals.read_stall_ms and not totals.write_stall_ms:
        return f"{what}, and nobody had to wait."
    read, write = (
        f" longer than {milliseconds(ms)}" if ms else "" for ms in (totals.read_stall_ms, totals.write_stall_ms)
    )
    return f"{what}; no reader waits{read}, no writer{write or ' at all'}."
