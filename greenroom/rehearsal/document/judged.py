"""What was judged: findings with evidence and advice, and static hints beside them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenroom.rehearsal.document.part import DrillName, Part, Severity


class TableEvidence(Part):
    table: str
    mode: str
    held_ms: float
    rows: int | None = None
    size_bytes: int | None = None


class Evidence(Part):
    summary: str = Field(description="one sentence with the measured figures")
    statement: str | None = None
    seconds: float | None = None
    tables: list[TableEvidence] = Field([], description="every table locked against reads or writes")
    rows: int | None = None
    size_bytes: int | None = None
    read_ms: float = 0.0
    write_ms: float = 0.0


class Advice(Part):
    summary: str
    django: str = Field("", description="the safe twin, as Django code")


class Finding(Part):
    hazard: str = Field(pattern="^[HCG][0-9]{2}$")
    name: str
    severity: Severity
    drill: DrillName | None = Field(None, description="that it comes from; null: from the migration itself")
    table: str | None = None
    migration: str | None = Field(None, description="app.name")
    operation: int | None = None
    evidence: Evidence
    advice: Advice
    static: list[str] = Field([], description="hints that say the same, `squawk: rule` each")


class Hint(Part):
    """What a linter says of a statement's text: nothing of it was measured, and no verdict rests on it."""

    rule: str
    level: str = Field(description="the linter's own, such as warning: no severity of ours")
    message: str = Field(description="the linter's words")
    migration: str = Field(description="app.name")
    operation: int | None = None
    statement: int = Field(description="index in the migration's statements")
    table: str | None = None
    merged_with: list[str] = Field([], description="hazards of the findings that say the same, measured")


class StaticHints(Part):
    tool: Literal["squawk"] = "squawk"
    version: str | None = Field(None, description="null when it was not asked")
    note: str | None = Field(None, description="why there are no hints, or not all")
    hints: list[Hint] = []
