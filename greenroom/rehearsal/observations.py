"""What the judgement looks at: everything that was measured on the copy, and what the plan says about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from greenroom.rehearsal.document import MigrationRun, Plan, RehearsalError, Stall, Totals


@dataclass(frozen=True)
class Relation:
    """A table as it was before the migration; `rows` is the planner's estimate after ANALYZE."""

    rows: int
    size_bytes: int
    indexes: list[str] = field(default_factory=list)


@dataclass
class Observations:
    """All tables are named as in the document: without the schema where that is public."""

    plan: Plan
    migrations: list[MigrationRun]
    stalls: list[Stall]
    relations: dict[str, Relation]
    lock_timeout_ms: float | None
    traits: dict[tuple[str, int], frozenset[str]]
    error: RehearsalError | None
    totals: Totals
    post_migrate: MigrationRun | None = None
