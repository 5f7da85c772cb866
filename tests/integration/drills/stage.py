"""One rehearsal with the drills that a test names, and what is told of them."""

from __future__ import annotations

from pathlib import Path

from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.rehearsal.document import Budget, Drill, DrillName, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from tests.integration.projects import branches_of, requested

ROWS = 60_000
ADD_NOTE = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
CONCURRENTLY = "AddIndexConcurrently('line', models.Index(fields=['quantity'], name='line_quantity'))"


def drilled(source: Address, project: Path, *names: DrillName, budget_ms: float = 100) -> Rehearsal:
    budget = Budget(read_ms=budget_ms, write_ms=budget_ms, timeout_seconds=60)
    rehearsal = rehearse(requested(source, project, branch="drills", budget=budget, drills=names), Silent())
    assert branches_of(source) == []
    return rehearsal


def told(drill: Drill) -> list[tuple[str, str, str]]:
    return [(step.what, step.status, step.detail) for step in drill.steps]


def named(rehearsal: Rehearsal, hazard: str) -> list[tuple[str, str | None, str]]:
    return [(f.severity, f.table, f.evidence.summary) for f in rehearsal.findings if f.hazard == hazard]
