"""Acquiring a copy of the data to rehearse on, and letting it go again on every way out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from greenroom.config import Config, Project
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.server import ServerFacts

Kind = Literal["demo", "dump copy", "branch"]
Method = Literal["template", "restore", "pipe"]
EMBEDDED = "embedded"


@dataclass(frozen=True)
class CopyRequest:
    """Whose data: `dump`, `url`, or neither for the demo; where a dump is restored; and what becomes of the copy.

    `branch` is the git branch's slug; `lease_hours` is how long the copy may live.
    """

    config: Config
    project: Project
    dump: Path | None = None
    url: str | None = None
    server: str = EMBEDDED
    template: bool = False
    keep: bool = False
    branch: str = "detached"
    lease_hours: float = 24.0

    @property
    def address(self) -> Address | None:
        """Of the source database, where there is one. Raises GreenroomError for a URL that cannot be read."""
        return Address.parse(self.url) if self.url else None


@dataclass
class Acquired:
    """The copy, as long as the context lasts; `dropped` and the last notes are known when it has ended.

    `address` is the role's that migrates, `admin` the observer's on the same database; `role` is what the migrating
    session must SET ROLE to, None where it logs in as that. `seconds` runs from the first step to a copy that is ready.
    """

    kind: Kind
    method: Method
    name: str
    label: str
    address: Address
    admin: Address
    lease_id: str
    facts: ServerFacts
    source_facts: ServerFacts | None = None
    own_server: bool = False
    role: str | None = None
    notes: list[str] = field(default_factory=list)
    size_bytes: int = 0
    seconds: float = 0.0
    dropped: bool = False


@contextmanager
def acquire(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """A copy that is restored, analysed, leased and ready to be migrated; it is dropped when the context ends.

    Raises GreenroomError for whatever keeps it from being made; what had been made until then is dropped too.
    """
    refuse_contradictions(request)
    began = time.monotonic()
    with _source(request)(request, progress) as copy:
        copy.seconds = time.monotonic() - began
        yield copy


def refuse_contradictions(request: CopyRequest) -> None:
    """Raises GreenroomError for what cannot be, before anything is touched."""
    if request.dump and request.url:
        raise GreenroomError("--dump and --url are two sources; a rehearsal has one.", "Leave one of them out.")
    if request.keep and not request.url and request.server == EMBEDDED:
        raise GreenroomError(
            "--keep needs a server that outlives the task, and the embedded one ends with it.",
            "Restore with --server postgresql://USER@HOST/postgres, or use --url.",
        )


def _source(request: CopyRequest):  # type: ignore[no-untyped-def]
    """The room of the source: each is imported when it is wanted."""
    if request.url:
        from greenroom.copies.branches import branch

        return branch
    if request.dump:
        from greenroom.copies.dumps import dump_copy

        return dump_copy
    from greenroom.copies.demo import demo

    return demo
