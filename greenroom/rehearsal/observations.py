"""What the judgement looks at: everything that was measured on the copy, and what the plan says about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from greenroom.rehearsal.document import Left, MigrationRun, Plan, RehearsalError, Stall, Totals


@dataclass(frozen=True)
class Relation:
    """A table as it was before the migration; `rows` is the planner's estimate after ANALYZE.

    A partitioned table has the rows and bytes of its `partitions`: those with rows, however deep. `ancestors` are what
    it is a partition of, the topmost first.
    """

    rows: int
    size_bytes: int
    indexes: list[str] = field(default_factory=list)
    partitions: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """`number` stays when the name changes. `filled`: a default, an identity or an expression gives it a value."""

    number: int
    type: str
    nullable: bool = True
    filled: bool = False

    @property
    def required(self) -> bool:
        """Whether an INSERT that does not name it has no value for it."""
        return not self.nullable and not self.filled


@dataclass(frozen=True)
class Shape:
    """A table as the catalogue describes it.

    Its columns, each check's columns, each index's file, invalid indexes, and the primary key's columns.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    checks: dict[str, list[str]] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)
    invalid_indexes: list[str] = field(default_factory=list)
    key: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DatedColumn:
    """A column of a type that is changed later, at the price of a rewrite."""

    table: str
    name: str
    type: str  # as format_type() shows it
    is_key: bool = False  # of the primary key


@dataclass(frozen=True)
class Lookup:
    """A foreign key without an index: what the server does for each row that is deleted from the parent.

    `seconds` of one look-up of the referring rows, which read them all; None when it was not tried.
    """

    table: str
    columns: tuple[str, ...]
    parent: str
    seconds: float | None = None


@dataclass(frozen=True)
class Aftermath:
    """What has become of the things that a client of the copy knew before the migration."""

    views: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict)  # view -> (table, column) that it reads
    views_gone: frozenset[str] = frozenset()
    dated: tuple[DatedColumn, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)  # table -> SQLSTATE of a SELECT that was prepared before


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
    before: dict[str, Shape] = field(default_factory=dict)
    after: dict[str, Shape] = field(default_factory=dict)  # under the name that the table had before
    left: Left = field(default_factory=Left)
    aftermath: Aftermath = field(default_factory=Aftermath)
    models: dict[tuple[str, int], list[str]] = field(default_factory=dict)  # of the code, by migration and operation
    conflicts: dict[str, list[str]] = field(default_factory=dict)  # an app's last migrations, where they are several


def milliseconds(shown: str | None) -> float | None:
    """PostgreSQL's text of a duration (`2s`, `500ms`, `1min`, `0`) in milliseconds; None for 0 or nothing."""
    units = {"ms": 1.0, "min": 60_000.0, "us": 0.001, "s": 1000.0, "h": 3_600_000.0, "d": 86_400_000.0}
    text = (shown or "").strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * units.get(text[len(number) :], 1.0) or None if number else None
