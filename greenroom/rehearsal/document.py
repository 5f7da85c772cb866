"""The rehearsal document: what a rehearsal knows, as one versioned JSON document.

Terminal, Markdown, HTML and the ledger are views of it. Units stand in the names: `seconds`, `*_ms`, `*_bytes`; `*_s`
is an offset in seconds from the moment the migration was let go. A table is named `schema.table`, without the schema
where that is `public`. SQL is normalised: every literal but the limit of a timeout is `$n`. No value of the data stands
anywhere in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = 1

VerdictName = Literal["pass", "warn", "fail"]
Severity = Literal["note", "warning", "failure"]


class Part(BaseModel):
    """A part of the document: unknown keys are an error, so that a typing mistake cannot pass for a fact."""

    model_config = ConfigDict(extra="forbid")


class Git(Part):
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


class Operation(Part):
    """One operation of a migration, as Django describes it."""

    index: int
    kind: str = Field(description="class name, such as AddIndex")
    description: str
    table: str | None = None
    name: str | None = Field(None, description="of the field, index or constraint")
    field: str | None = Field(None, description="class name of the field that is added or altered")
    reversible: bool = True


class PlannedMigration(Part):
    app: str
    name: str
    atomic: bool
    sha256: str = Field(description="of the migration's source file")
    operations: list[Operation] = []


class Plan(Part):
    fingerprint: str = Field(
        description="SHA-256 over the pending migrations' content, in order, and the names of those already applied"
    )
    migrations: list[PlannedMigration] = []


class Source(Part):
    kind: Literal["demo", "dump", "url", "target"]
    description: str = Field("", description="for people: a file's name, a host and database; never a password")


class Copy(Part):
    kind: Literal["demo", "dump copy", "branch", "clone"]
    method: str = Field(description="template, restore, copy, pipe, snapshot, or the engine's own")
    name: str
    server: str = Field(description="embedded, or host:port")
    server_version: str
    seconds: float = Field(description="from the first step to a copy that is ready to be migrated")
    size_bytes: int | None = None
    dropped: bool = Field(description="false when it was kept on request, or could not be dropped")


class Lock(Part):
    table: str
    mode: str = Field(description="as in pg_locks, such as AccessExclusiveLock")
    acquired_s: float = Field(description="start of the statement that took it")
    held_ms: float = Field(description="from there to the end of its transaction")
    blocks_reads: bool
    blocks_writes: bool
    polled: bool = Field(False, description="seen from outside, at intervals: the times are lower bounds")


class Rewrite(Part):
    table: str
    rows: int | None = None
    size_bytes: int | None = None
    indexes: list[str] = Field([], description="indexes of the table that were rebuilt with it")
    only_indexes: bool = Field(False, description="the table itself stayed, its indexes were rebuilt")


class Scan(Part):
    table: str
    rows: int | None = Field(None, description="estimated rows of the table; parallel workers hide those they read")
    scans: int = 1
    lock: str | None = Field(None, description="the strongest mode held on the table meanwhile")


class Statement(Part):
    sql: str
    calls: int = Field(1, description="executions of the same normalised SQL in one transaction, folded into one")
    operation: int | None = Field(None, description="index of the operation; null for what Django itself records")
    started_s: float
    seconds: float = Field(description="of all calls")
    longest_seconds: float = Field(description="of the slowest call")
    rows: int | None = None
    locks: list[Lock] = []
    rewrites: list[Rewrite] = []
    scans: list[Scan] = []
    wal_bytes: int | None = None
    transaction: int = Field(description="statements with the same number ran in one transaction")
    polled: bool = Field(False, description="could not run in a transaction block: its locks were polled")
    sqlstate: str | None = Field(None, description="when it failed")


class MigrationRun(Part):
    app: str
    name: str
    atomic: bool = True
    started_s: float | None = None
    seconds: float = 0.0
    status: Literal["applied", "failed", "not run"]
    statements: list[Statement] = []


class Blocked(Part):
    """A time in which clients of a table stood still."""

    from_s: float
    to_s: float
    reads: bool
    writes: bool
    migration: str | None = None
    derived: bool = False
    rows_only: bool = Field(False, description="only writers of rows that the migration had changed")


class Stall(Part):
    """The longest that one client of a table would have waited."""

    table: str
    read_ms: float
    write_ms: float
    row_ms: float = Field(0.0, description="part of write_ms: a writer of a row that the migration had changed")
    derived: bool = Field(description="from lock intervals, because the table was not probed or no probe met the lock")
    rows: int | None = None
    size_bytes: int | None = None
    blocked: list[Blocked] = []


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


DrillName = Literal["back", "old-release", "lock-queue", "crash"]


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


class DrillStep(Part):
    """One thing that was tried: a migration taken back, a model written to, a crash after one statement."""

    what: str
    status: Literal["passed", "failed", "note"]
    detail: str = Field("", description="what was measured, in words with figures")
    seconds: float | None = None


class Drill(Part):
    """A further experiment, on a clone of the copy. Only `passed` is a pass; the reason says why it is not.

    `not run`: there was nothing to try, or nobody wanted it; `broken off`: it should have been held and could not be.
    """

    name: DrillName
    status: Literal["passed", "failed", "not run", "broken off"]
    reason: str = Field("", description="one sentence: why it failed or was not held, or what it passed on")
    seconds: float = Field(0.0, description="with the clone that it was held on")
    steps: list[DrillStep] = []
    stalls: list[Stall] = Field([], description="what others would have felt of it, measured as in the rehearsal")


class TwinFile(Part):
    """A migration file as it was rehearsed; it lies in `twin/` beside the report."""

    path: str = Field(description="app/name.py")
    replaces: bool = Field(description="it stands instead of the migration's own file; otherwise it is new")
    text: str


class TwinWait(Part):
    """The longest that one client of a table would have waited for the migration, and for its twin."""

    table: str
    read_ms: float
    write_ms: float
    twin_read_ms: float
    twin_write_ms: float


class Twin(Part):
    """A migration said again so that nobody waits, written mechanically, and rehearsed on a clone like the copy was.

    Only one that `passes` is recommended: no wait over the budget, no failure found, and the same schema in the end.
    """

    migration: str = Field(description="app.name")
    hazards: list[str] = Field([], description="that it is to avoid")
    status: Literal["rehearsed", "failed", "not rehearsed", "not written"]
    passes: bool = False
    reason: str = Field("", description="one sentence: what came of it, or why it was not written")
    left: list[str] = Field([], description="operations that stay as they are, and why")
    seconds: float = Field(0.0, description="of the migration as it is")
    twin_seconds: float | None = Field(None, description="of all steps of the twin")
    waits: list[TwinWait] = []
    same_schema: bool | None = None
    differences: list[str] = Field([], description="of the schema that the twin makes, from the migration's own")
    remaining: list[str] = Field([], description="hazards above a note that the twin's steps still show")
    files: list[TwinFile] = Field([], description="in the order in which they run")


class Difference(Part):
    setting: str
    copy_value: str | None
    source_value: str | None


class Fidelity(Part):
    """What the rehearsal's truth rests on, and where the copy is not the source."""

    server_version: str
    timezone: str
    extensions: dict[str, str] = {}
    settings: dict[str, str] = {}
    source_server_version: str | None = None
    differs: list[Difference] = []
    role: str | None = Field(None, description="the role that the migration ran as")
    python: str | None = None
    django: str | None = None
    driver: str | None = None
    lock_timeout: str | None = Field(None, description="of the migrating session, when it started")
    probed_tables: list[str] = []
    refused: list[str] = Field([], description="what the app tried to reach and was not let to: host:port, alias")
    notes: list[str] = []


class Budget(Part):
    read_ms: float
    write_ms: float
    timeout_seconds: float


class Totals(Part):
    seconds: float = Field(description="of the migrations, without the copy")
    read_stall_ms: float = Field(description="the longest that a reader of any table waited")
    write_stall_ms: float
    wal_bytes: int | None = None
    size_delta_bytes: int | None = None
    size_peak_bytes: int | None = Field(None, description="over the size at the start, at the highest point")


class LeftIndex(Part):
    table: str
    index: str


class LeftColumn(Part):
    table: str
    column: str


class Left(Part):
    """What the catalogue says after the migrations, and did not say before, of tables that were there before."""

    invalid_indexes: list[LeftIndex] = Field([], description="which CONCURRENTLY left behind when it failed")
    required_columns: list[LeftColumn] = Field(
        [], description="NOT NULL without a default, which an INSERT of the release before does not name"
    )


class Frame(Part):
    file: str
    line: int
    function: str


class RehearsalError(Part):
    """Why the migration did not finish. The exception's message is left out: it can carry data."""

    kind: Literal["migration failed", "timeout", "agent died"]
    exception: str | None = None
    sqlstate: str | None = None
    migration: str | None = None
    statement: str | None = None
    operation: str | None = None
    table: str | None = None
    column: str | None = None
    constraint: str | None = None
    applied: list[str] = []
    frames: list[Frame] = []
    waiting_for: str | None = Field(None, description="for a timeout: the lock that the statement waited for")
    advice: str = ""


class Rehearsal(Part):
    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    created_at: datetime
    greenroom_version: str
    git: Git
    image: str | None = None
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
