"""What was tried beyond the migration itself: drills, and safe twins."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from greenroom.rehearsal.document.part import DrillName, Part
from greenroom.rehearsal.document.seen import Stall


class DrillStep(Part):
    """One thing that was tried: a migration taken back, a model written to, a crash after one statement."""

    what: str
    status: Literal["passed", "failed", "note"]
    detail: str = Field("", description="what was measured, in words with figures")
    seconds: float | None = None


class Release(Part):
    """The release that the drill old-release had read and write."""

    name: str = Field(description="as it was asked for: a ref of git, or an image")
    commit: str | None = Field(
        None, description="that its code is of; null where its image does not say so, or says that it had changes"
    )
    digest: str | None = Field(
        None, description="sha256:... of the registry; null for code of git, and an image neither pushed nor pulled"
    )


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
    release: Release | None = Field(None, description="that old-release tried; null where it was not held")


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

    Only one that `passes` is recommended: no wait over the budget, no failure found, the same schema and data.
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
    same_data: bool | None = Field(None, description="counts and sums; None where the schema is another one")
    differences: list[str] = Field([], description="of what the twin leaves, from what the migration leaves")
    remaining: list[str] = Field([], description="hazards above a note that the twin's steps still show")
    files: list[TwinFile] = Field([], description="in the order in which they run")
