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


def milliseconds(shown: str | None) -> float | None:
    """PostgreSQL's text of a duration (`2s`, `500ms`, `1min`, `0`) in milliseconds; None for 0 or nothing."""
    units = {"ms": 1.0, "min": 60_000.0, "us": 0.001, "s": 1000.0, "h": 3_600_000.0, "d": 86_400_000.0}
    text = (shown or "").strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * units.get(text[len(number) :], 1.0) or None if number else None
