"""A copy of a dump: an archive of pg_dump, restored on a server of our own or on a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from greenroom.console import Progress
from greenroom.copies import snapshot
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.copies.restored import Content, restored
from greenroom.postgres import archive as archives
from greenroom.postgres import dumping, restoring, sections, snapshots
from greenroom.postgres.archive import Archive
from greenroom.postgres.server import ServerFacts


@contextmanager
def dump_copy(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Check the archive, restore it, and drop the copy when the context ends. Raises GreenroomError.

    What was restored once is cloned the next time.
    """
    assert request.dump is not None
    archive = archives.inspect(request.dump)
    with ExitStack() as stack:
        key = snapshots.of_dump(request.dump)
        acquired = snapshot.started(key, archive.contents.database or "dump", request, stack, progress, ages=False)
        if acquired is None:
            content = _content(archive)
            content.keep_snapshot = snapshot.keeper(key, request, content.source_facts, {}, (), ages=False)
            acquired = stack.enter_context(restored(content, request, progress))
        yield acquired


def _content(archive: Archive) -> Content:
    restorer = archives.restorer_for(archive)

    def fill(target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress) -> None:
        progress.step(f"restoring {archive.name}")
        target.sizes, target.packed = archive.sizes, archive.packed
        sections.restore_file(archive.path, target, restorer, progress, before_indexes)

    return Content(
        archive=archive,
        described=f"dump {archive.name}",
        method="restore",
        client=restorer,
        fill=fill,
        source_facts=told(archive),
        notes=[
            "a dump does not tell its server's settings (TimeZone, timeouts, memory): those of the copy's hold",
            *dumping.left_behind(archive.subscriptions, archive.mapped_servers, cron=archive.has_cron),
        ],
    )


def told(archive: Archive) -> ServerFacts:
    """What a dump tells of its server: the version."""
    contents = archive.contents
    return ServerFacts(contents.server_version.split(" ")[0], contents.server_major * 10000, timezone="")
