"""`db-pull` and `db-branch`: a copy without a rehearsal, that stays until its lease is over."""

from __future__ import annotations

from dataclasses import dataclass, replace

from greenroom import config as configuration
from greenroom import console, git
from greenroom.config import Config
from greenroom.copies.acquiring import EMBEDDED, CopyRequest, acquire, refuse_contradictions
from greenroom.copies.keeping import words
from greenroom.errors import GreenroomError


@dataclass(frozen=True)
class Options:
    """What was typed; None: not typed."""

    target: str | None = None
    remote: bool = False
    server: str | None = None
    via_file: bool = False
    refresh: bool = False
    template: bool = False


def make(options: Options) -> str:
    """Make the copy, keep it, and return what a person needs to use it and to drop it. Raises GreenroomError."""
    request = request_of(options, configuration.load())
    refuse_contradictions(request)
    with console.progress() as progress, acquire(request, progress) as copy:
        progress.step(f"keeping {copy.name}")
    return words(copy, request)


def look(options: Options) -> str:
    """What a copy would be, and whether it could be made. Raises GreenroomError for what keeps it away."""
    from greenroom.copies import preview

    request = replace(request_of(options, configuration.load()), keep=False)
    with console.progress() as progress:
        lines = preview.check(request, progress)
    return preview.told(lines)


def request_of(options: Options, config: Config) -> CopyRequest:
    """Raises GreenroomError where no target is named."""
    if not options.target:
        known = ", ".join(sorted(config.databases)) or "none is configured"
        raise GreenroomError(f"a target has to be named (there: {known}).", "Add --target NAME.")
    return CopyRequest(
        config=config,
        project=config.project,
        target=options.target,
        remote=options.remote,
        via_file=options.via_file,
        refresh=options.refresh,
        server=options.server or EMBEDDED,
        template=options.template,
        keep=True,
        branch=git.slug(git.checkout(config.root / config.project.directory).branch),
        lease_hours=config.rehearsal.kept_hours,
    )
