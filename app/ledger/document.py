"""The keys of a rehearsal document that the ledger reads; all others are kept with the document, unread.

What the tables cannot hold is refused here, by the path of its key.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, ValidationError

Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
LargeCount = Annotated[int, Field(ge=0, le=2**63 - 1)]
Table = Annotated[str, StringConstraints(max_length=127)]
Name = Annotated[str, StringConstraints(max_length=255)]


class MalformedDocument(Exception):
    """The file is no rehearsal document that the ledger can store; the message is one sentence."""


class Git(BaseModel):
    commit: Annotated[str, StringConstraints(max_length=40)] | None = None
    branch: Name | None = None
    dirty: bool | None = None


class Plan(BaseModel):
    fingerprint: Annotated[str, StringConstraints(max_length=64)]


class Source(BaseModel):
    kind: Annotated[str, StringConstraints(max_length=20)]


class Copy(BaseModel):
    server_version: Annotated[str, StringConstraints(max_length=100)]


class Lock(BaseModel):
    table: Table
    mode: Annotated[str, StringConstraints(max_length=40)]
    acquired_s: float
    held_ms: Measure
    blocks_reads: bool
    blocks_writes: bool
    polled: bool = False


class Statement(BaseModel):
    sql: str
    calls: Count = 1
    operation: Count | None = None
    transaction: Count | None = None
    started_s: float
    seconds: Measure
    rows: LargeCount | None = None
    wal_bytes: LargeCount | None = None
    sqlstate: Annotated[str, StringConstraints(max_length=5)] | None = None
    locks: list[Lock] = []


class MigrationRun(BaseModel):
    app: Annotated[str, StringConstraints(max_length=100)] = ""
    name: Name = ""
    atomic: bool = True
    status: Literal["applied", "failed", "not run"]
    started_s: float | None = None
    seconds: Measure
    statements: list[Statement] = []


class Stall(BaseModel):
    table: Table
    read_ms: Measure
    write_ms: Measure
    derived: bool
    rows: LargeCount | None = None
    size_bytes: LargeCount | None = None


class Evidence(BaseModel):
    summary: str


class Advice(BaseModel):
    summary: str
    django: str = ""


class Finding(BaseModel):
    hazard: Annotated[str, StringConstraints(pattern=r"^[HCG][0-9]{2}\z")]
    name: Annotated[str, StringConstraints(max_length=100)]
    severity: Literal["note", "warning", "failure"]
    table: Table | None = None
    migration: Annotated[str, StringConstraints(max_length=355)] | None = None
    evidence: Evidence
    advice: Advice


class Totals(BaseModel):
    seconds: Measure
    read_stall_ms: Measure
    write_stall_ms: Measure


class Document(BaseModel):
    schema_version: Literal[1]
    id: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\z")]
    created_at: AwareDatetime
    project: Annotated[str, StringConstraints(max_length=200)] = ""
    git: Git
    plan: Plan
    verdict: Literal["pass", "warn", "fail"]
    source: Source
    copied: Copy = Field(alias="copy")
    migrations: list[MigrationRun]
    post_migrate: MigrationRun | None = None
    stalls: list[Stall]
    findings: list[Finding]
    totals: Totals

    @property
    def runs(self) -> list[MigrationRun]:
        """The migrations, and last what ran outside of them."""
        return [*self.migrations, *([self.post_migrate] if self.post_migrate else [])]


def parse(text: bytes) -> tuple[Document, dict[str, Any]]:
    """What the ledger reads, and the whole document. Raises MalformedDocument."""
    try:
        whole = json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedDocument(f"it is not valid JSON ({reason(error)})") from error
    refuse_unstorable(json.dumps(whole, ensure_ascii=False))
    try:
        return Document.model_validate(whole), whole
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        path = ".".join(str(step) for step in wrong[0]["loc"]) or "the document"
        more = f", and {len(wrong) - 1} more mistakes" if len(wrong) > 1 else ""
        raise MalformedDocument(f"{path}: {wrong[0]['msg']}{more}") from None


def refuse_unstorable(text: str) -> None:
    """PostgreSQL stores neither the character U+0000 nor halves of surrogate pairs."""
    if re.search(r"(?<!\\)(\\\\)*\\u0000", text) or re.search("[\ud800-\udfff]", text):
        raise MalformedDocument("it holds a character that PostgreSQL cannot store")


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} in line {error.lineno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
