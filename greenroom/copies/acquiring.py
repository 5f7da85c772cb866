"""Acquiring a copy of the data to rehearse on, and letting it go again on every way out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from greenroom import places
from greenroom.config import Config, PostgresTarget, Project
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.holding import Held
from greenroom.postgres.server import ServerFacts

Kind = Literal["demo", "dump copy", "branch", "clone"]
Method = Literal["template", "restore", "copy", "pipe", "snapshot", "aurora clone", "rds snapshot", "command"]
EMBEDDED = "embedded"
DOCKER = "docker:"


@dataclass(frozen=True)
class CopyRequest:
    """Whose data: `dump`, `url`, `target`, or none for the demo; where it is restored; and what becomes of the copy.

    `target` is a name in `[tool.greenroom.databases]`: restored here, or with `remote` copied on its own server.
    `refresh` makes it anew where a snapshot is here. `branch` is the git branch's slug; `lease_hours` is how long the
    copy may live.
    """

    config: Config
    project: Project
    dump: Path | None = None
    url: str | None = None
    target: str | None = None
    remote: bool = False
    via_file: bool = False
    refresh: bool = False
    server: str = EMBEDDED
    template: bool = False
    keep: bool = False
    branch: str = "detached"
    lease_hours: float = 24.0

    @property
    def address(self) -> Address | None:
        """Of the source database, where there is one. Raises GreenroomError for a URL that cannot be read."""
        return Address.parse(self.url) if self.url else None

    @property
    def server_is_given(self) -> bool:
        """Whether it is restored on a server that is there, and not on one of our own."""
        return self.server != EMBEDDED and not self.server.startswith(DOCKER)


@dataclass
class Acquired:
    """The copy, as long as the context lasts; `dropped` and the last notes are known when it has ended.

    `address` is the role's that migrates, `admin` the observer's on the same database; `role` is what the migrating
    session must SET ROLE to, None where it logs in as that. `own_server`: the server goes with the copy; `held` is how
    it is dropped, None where an engine has made it. `seconds` runs from the first step to a copy that is ready.
    Of one that outlives the task, `environment` is a file of variables for the app; `drop_as` is its name for db-drop
    where that is another, `drop_at` further words; and `forward` is the command that opens its address again, where
    that is a port of ours with the VPN host behind it. `disk_gb` is of its server, where the target tells it.
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
    forward: str | None = None
    held: Held | None = field(default=None, repr=False)
    environment: Path | None = None
    drop_as: str | None = None
    drop_at: tuple[str, ...] = ()
    role: str | None = None
    notes: list[str] = field(default_factory=list)
    size_bytes: int = 0
    disk_gb: float | None = None
    seconds: float = 0.0
    dropped: bool = False


@contextmanager
def acquire(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """A copy that is restored, analysed, leased and ready to be migrated; it is dropped when the context ends.

    Raises GreenroomError for whatever keeps it from being made; what had been made until then is dropped too.
    """
    refuse_contradictions(request)
    began = time.monotonic()
    _refuse_unusable_server(request)
    if request.keep:
        places.state()  # where it is written down: known before the source is read
    with _source(request)(request, progress) as copy:
        copy.seconds = time.monotonic() - began
        yield copy


def refuse_contradictions(request: CopyRequest) -> None:
    """Raises GreenroomError for what cannot be, before anything is touched."""
    given = {"--dump": request.dump, "--url": request.url, "--target": request.target}
    sources = [option for option, value in given.items() if value]
    if len(sources) > 1:
        raise GreenroomError(
            f"{' and '.join(sources)} are {'two' if len(sources) == 2 else 'three'} sources; a rehearsal has one.",
            "Leave one of them out." if len(sources) == 2 else "Leave two of them out.",
        )
    if request.keep and not sources:
        raise GreenroomError(
            "--keep keeps a copy of your data, and the demo's is made anew at any time.",
            "Add --target NAME, --dump FILE or --url postgresql://...",
        )
    _refuse_unknown_server(request.server)
    if request.target:
        target = request.config.target(request.target)
        _refuse_for_target(request, target.kind, isinstance(target, PostgresTarget) and bool(target.via))
    elif request.remote or request.via_file or (request.refresh and not request.dump):
        option = "--remote" if request.remote else "--via-file" if request.via_file else "--refresh"
        raise GreenroomError(f"{option} says how a target is copied, and there is no target.", "Add --target NAME.")


def _refuse_unknown_server(server: str) -> None:
    if server == EMBEDDED or server.removeprefix(DOCKER) not in ("", server):
        return
    if server == DOCKER or not server.startswith(("postgresql://", "postgres://")):
        raise GreenroomError(
            f"--server {server.rpartition('@')[2]} is no server that a copy can be restored on.",
            "Give embedded, docker:postgres:17 (an image) or postgresql://USER@HOST/postgres.",
        )
    Address.parse(server)


def _refuse_unusable_server(request: CopyRequest) -> None:
    """The copy's server, before the source is read: that can take an hour."""
    if request.server.startswith(DOCKER):
        from greenroom.postgres import containers

        containers.refuse_no_engine()
    elif request.server != EMBEDDED:
        from greenroom.postgres import branch

        branch.maintenance(Address.parse(request.server))


def _refuse_for_target(request: CopyRequest, kind: str, via: bool) -> None:
    name = request.target
    if request.remote and kind != "postgresql":
        raise GreenroomError(
            f"--remote makes a branch on the server itself, and {name} is copied by its engine ({kind}).",
            "Leave --remote out.",
        )
    if request.remote and request.server != EMBEDDED:
        raise GreenroomError(
            f"--server says where {name} is restored, and with --remote it stays where it is.", "Leave one of them out."
        )
    if request.via_file and (request.remote or not via):
        raise GreenroomError(
            "--via-file leaves the archive on the VPN host for a while, and "
            + ("with --remote no archive travels." if request.remote else f"{name} has none (via = ...)."),
            "Leave --via-file out.",
        )
    if request.template and not request.remote:
        raise GreenroomError("--template is a way to copy on the source's own server.", "Add --remote.")


def _source(request: CopyRequest) -> Callable[[CopyRequest, Progress], AbstractContextManager[Acquired]]:
    """The room of the source: each is imported when it is wanted."""
    if request.target:
        target = request.config.target(request.target)
        if not isinstance(target, PostgresTarget):
            from greenroom.copies.clones import clone

            return clone
        if not request.remote:
            from greenroom.copies.pulls import pull

            return pull
    if request.url or request.target:
        from greenroom.copies.branches import branch

        return branch
    if request.dump:
        from greenroom.copies.dumps import dump_copy

        return dump_copy
    from greenroom.copies.demo import demo

    return demo
