"""The rehearsal document: what a rehearsal knows, as one versioned JSON document.

Terminal, Markdown, HTML and the ledger are views of it. Units stand in the names: `seconds`, `*_ms`, `*_bytes`; `*_s`
is an offset in seconds from the moment the migration was let go. A table is named `schema.table`, without the schema
where that is `public`. SQL is normalised: every literal but the limit of a timeout is `$n`. No value of the data stands
anywhere in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import ConfigDict, Field

from greenroom.rehearsal.document.judged import Advice, Evidence, Finding, Hint, StaticHints, TableEvidence
from greenroom.rehearsal.document.part import DrillName, Part, Severity, VerdictName
from greenroom.rehearsal.document.seen import (
    Blocked,
    Copy,
    Difference,
    Fidelity,
    Frame,
    Git,
    Image,
    Left,
    LeftColumn,
    LeftIndex,
    Lock,
    MigrationRun,
    Operation,
    Plan,
    PlannedMigration,
    RehearsalError,
    Rewrite,
    Scan,
    Source,
    Stall,
    Statement,
    Totals,
)
from greenroom.rehearsal.document.tried import Drill, DrillStep, Release, Twin, TwinFile, TwinWait

SCHEMA_VERSION: Final = 1


class Budget(Part):
    read_ms: float
    write_ms: float
    timeout_seconds: float


class Rehearsal(Part):
    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    created_at: datetime
    greenroom_version: str
    git: Git
    image: Image | None = Field(None, description="null when the project ran in an interpreter of this machine")
    project: str = ""
    plan: Plan
    verdict: VerdictName
    reasons: list[str] = Field([], description="why the verdict is what it is, for people; most important first")
    budget: Budget
    source: Source
    copy_: Copy = Field(alias="copy")
    migrations: list[MigrationRun] = []
    post_migrate: MigrationRun | None = Field(None, description="what ran outside of the migrations")
    stalls: list[Stall] = []
    findings: list[Finding] = []
    static: StaticHints | None = Field(None, description="null when none were wanted")
    drills: list[Drill] = []
    twins: list[Twin] = []
    fidelity: Fidelity
    totals: Totals
    left: Left | None = None
    error: RehearsalError | None = None

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def to_json(self) -> str:
        """The document as it lies in `rehearsal.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


__all__ = [
    "SCHEMA_VERSION",
    "Advice",
    "Blocked",
    "Budget",
    "Copy",
    "Difference",
    "Drill",
    "DrillName",
    "DrillStep",
    "Evidence",
    "Fidelity",
    "Finding",
    "Frame",
    "Git",
    "Hint",
    "Image",
    "Left",
    "LeftColumn",
    "LeftIndex",
    "Lock",
    "MigrationRun",
    "Operation",
    "Part",
    "Plan",
    "PlannedMigration",
    "Rehearsal",
    "RehearsalError",
    "Release",
    "Rewrite",
    "Scan",
    "Severity",
    "Source",
    "Stall",
    "Statement",
    "StaticHints",
    "TableEvidence",
    "Totals",
    "Twin",
    "TwinFile",
    "TwinWait",
    "VerdictName",
]
