"""What was seen: the plan, the copy, statements with their locks, stalls, and what went wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenroom.rehearsal.document.part import Part


class Git(Part):
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


class Image(Part):
    """The image that the project ran in."""

    name: str = Field(description="as it was asked for")
    digest: str | None = Field(
        None, description="sha256:... of the registry; null when it was neither pushed nor pulled"
    )
    id: str = Field(description="sha256:... of its content on the engine that ran it")
    revision: str | None = Field(None, description="commit that it says it was built from")
    user: str = Field("", description="whom its programs run as; empty: root")


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
