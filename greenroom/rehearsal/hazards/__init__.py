"""The hazards: what can go wrong when a migration meets real data, and how each shows in observations.

`actions` reads what a statement sets out to do; `view` lays the observations out by step, operation and transaction.
A family of hazards a file: `indexes`, `standing_indexes`, `concurrently`, `constraints`, `foreign_keys`, `columns`,
`column_types`, `backfills`, `whole` (the plan), `keys`, `data_types`, `partitions`, `triggers`, `maintenance`,
`clients`, `habits`; those of `drilled` and `release` are proven by a drill.
`evidence` makes findings of matches. A hazard is data and a small function; no text of SQL alone makes a finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from greenroom.rehearsal.document import Budget, Finding
from greenroom.rehearsal.hazards import (
    backfills,
    clients,
    column_types,
    columns,
    concurrently,
    constraints,
    data_types,
    drilled,
    foreign_keys,
    habits,
    indexes,
    keys,
    maintenance,
    partitions,
    release,
    standing_indexes,
    triggers,
    whole,
)
from greenroom.rehearsal.hazards.evidence import finding, work
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, View
from greenroom.rehearsal.observations import Observations

FAMILIES = (
    *(indexes, standing_indexes, concurrently, constraints, foreign_keys, columns, column_types, backfills, whole),
    *(keys, data_types, partitions, triggers, maintenance, clients, habits, drilled, release),
)
CATALOGUE: dict[str, Hazard] = {hazard.id: hazard for family in FAMILIES for hazard in family.HAZARDS}
SEVERITIES = ("failure", "warning", "note")


def judge(observations: Observations, budget: Budget, drilled: Sequence[Finding] = ()) -> list[Finding]:
    """Every hazard that the observations or a drill prove; the most severe first, then what takes most of its budget.

    What a drill has measured of a hazard of the whole plan stands instead of what the migration alone shows of it.
    """
    view = View(observations)
    matches = [(hazard, match) for hazard in CATALOGUE.values() for match in hazard.detect(view)]
    kept = _merged(_most_specific(matches))
    found = [finding(view, hazard, match, budget, work([other for _, other in kept], match)) for hazard, match in kept]
    better = {finding.hazard for finding in drilled}
    found = [one for one in found if one.migration or one.hazard not in better] + list(drilled)
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), -_of_budget(f, budget), f.hazard))


def _of_budget(found: Finding, budget: Budget) -> float:
    return max(found.evidence.read_ms / budget.read_ms, found.evidence.write_ms / budget.write_ms)


def _most_specific(matches: list[tuple[Hazard, Match]]) -> list[tuple[Hazard, Match]]:
    """Without those that another hazard of the same operation says better."""
    hidden: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for hazard, match in matches:
        hidden[_place(match)] |= hazard.hides
    return [(hazard, match) for hazard, match in matches if hazard.id not in hidden[_place(match)]]


def _merged(matches: list[tuple[Hazard, Match]]) -> list[tuple[Hazard, Match]]:
    """One match of a hazard for an operation and table: two indexes of one field are one finding."""
    kept: dict[tuple[str, str, int | None, str | None], tuple[Hazard, Match]] = {}
    for hazard, match in matches:
        key = (hazard.id, *_place(match), match.table)
        if key in kept:
            other = kept[key][1]
            telling = max(other, match, key=lambda m: sum(step.statement.seconds for step in m.steps))
            steps = (*other.steps, *(step for step in match.steps if step not in other.steps))
            match = replace(telling, steps=steps)
        kept[key] = (hazard, match)
    return list(kept.values())


def _place(match: Match) -> tuple[str, int | None]:
    operation = match.performed.operation
    return match.performed.migration, operation.index if operation else None


__all__ = ["CATALOGUE", "Hazard", "judge"]
