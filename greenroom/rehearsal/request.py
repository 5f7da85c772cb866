"""What a rehearsal is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from greenroom.config import Config, Project
from greenroom.copies.acquiring import CopyRequest
from greenroom.docker import Image
from greenroom.rehearsal import document as doc


@dataclass(frozen=True)
class Halt:
    """End the agent, as a crash would, when `after` statements of a migration have ended; 0: before its first one.

    With `then`, it only pauses there, and goes on when that has been called.
    """

    migration: str
    after: int
    then: Callable[[], None] | None = None


@dataclass(frozen=True)
class Request:
    """What is to be rehearsed, on what, and how much stall is accepted.

    `image`: the project runs in it, and not here. `drills` are those to hold, None: all that apply. `base` is the
    running release as git knows it, None: as configured, `base_image` its image instead,
    `base_environment` where that serves, `base_check` a command of its
    own. For a run of a drill's: `undo` are the migrations to take back instead of applying any, `halt` is where it is
    to be cut off. For a twin's: `performed` is the directory that hears what the schema editor runs, `shadow` has the
    migration files to put in front of the app's own (a directory by package), `also_probed` are tables that a plan of
    SQL does not name.
    """

    config: Config
    project: Project
    source: CopyRequest
    image: Image | None = None
    targets: list[str] = field(default_factory=list)
    budget: doc.Budget = field(default_factory=lambda: doc.Budget(read_ms=1000, write_ms=2000, timeout_seconds=3600))
    probed_tables: int = 8
    allow_network: bool = False
    drills: tuple[doc.DrillName, ...] | None = None
    base: str | None = None
    base_image: str | None = None
    base_environment: str | None = None
    base_check: str | None = None
    undo: tuple[str, ...] = ()
    halt: Halt | None = None
    try_twin: bool = False
    performed: Path | None = None
    shadow: Mapping[str, str] = field(default_factory=dict)
    also_probed: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The project's, on this machine."""
        return (self.config.root / self.project.directory).resolve()

    def of(self, project: Project, image: Image | None) -> Request:
        """The same for another release of the project."""
        return replace(self, project=project, image=image)
