"""LOCAL: a target's data, pulled through its VPN host where it has one, and restored here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenroom.config import PostgresTarget
from greenroom.console import Progress
from greenroom.copies import snapshot
from greenroom.copies.acquiring import DOCKER, EMBEDDED, Acquired, CopyRequest
from greenroom.copies.origin import Origin, read, sizes
from greenroom.copies.reach import reached
from greenroom.copies.restored import Content, restored
from greenroom.copies.roads import Road, road
from greenroom.copies.servers import Ahead, server_for
from greenroom.postgres import archive as archives
from greenroom.postgres import cluster, dumping, masking, readable, restoring, room, snapshots, workers
from greenroom.postgres.lock_wait import patiently
from greenroom.postgres.masking import Rule
from greenroom.postgres.server import asking, connect, patient
from greenroom.postgres.snapshots import Key
from greenroom.postgres.statistics import Statistics
from greenroom.postgres.statistics.reading import NONE_COME, Coming, coming

if TYPE_CHECKING:
    from greenroom.ssh.host import Host


@contextmanager
def pull(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Reach the target, look at it, copy it here, and drop the copy when the context ends. Raises GreenroomError.

    The connections to the source are closed as soon as its rows are here. A snapshot that is young enough is cloned
    instead; of a sensitive target one that was made when it was not goes at once.
    """
    name, target = _target(request)
    key = snapshots.of_target(name, target) if target.cached else None
    if target.sensitive or key is None:
        snapshots.forget(snapshots.place_of(target), but=key)
    with ExitStack() as stack:
        acquired = _from_snapshot(key, request, stack, progress) if key else None
        yield acquired or stack.enter_context(_pulled(request, key, progress))


def _from_snapshot(key: Key, request: CopyRequest, stack: ExitStack, progress: Progress) -> Acquired | None:
    """Where a sensitive one is to be kept and its snapshot is not masked for that, the source is asked what lacks."""
    _, target = _target(request)
    covered = request.keep and target.sensitive
    return snapshot.started(key, target.name, request, stack, progress, ages=True, covered=covered)


@dataclass(frozen=True)
class Seen:
    """What is known before anything is made. `covered`: were the target sensitive, its masks would let a copy stay."""

    origin: Origin
    rules: list[Rule]
    road: Road
    covered: bool


def look(request: CopyRequest, scratch: Path, source: ExitStack, progress: Progress) -> Seen:
    """Reach the target, and hold against it whatever can be; `source` has the connections. Raises GreenroomError."""
    name, target = _target(request)
    rules = masking.rules(target.masks, name)
    host = _host(target, source, progress)
    origin = read(source.enter_context(reached(target)), name, target.exclude_data, rules, progress)
    covered = _refuse(request, origin, rules, scratch, progress)
    return Seen(origin, rules, road(host, origin, source, scratch, via_file=request.via_file), covered)


@contextmanager
def _pulled(request: CopyRequest, key: Key | None, progress: Progress) -> Iterator[Acquired]:
    with cluster.private_directory() as scratch, ExitStack() as source, ExitStack() as early:
        seen = look(request, scratch, source, progress)
        origin = seen.origin
        ahead = _ahead(request, origin, early)
        content = _content(request, origin, seen.road, seen.rules, scratch, source, progress, ahead)
        if key:
            masks = [str(rule) for rule in seen.rules if rule.changes]
            content.keep_snapshot = snapshot.keeper(
                key, request, origin.facts, origin.taken_over, masks, ages=True, covered=seen.covered
            )
        with restored(content, request, progress, ahead) as acquired:
            yield acquired


def _target(request: CopyRequest) -> tuple[str, PostgresTarget]:
    assert request.target is not None
    target = request.config.target(request.target)
    assert isinstance(target, PostgresTarget)
    return request.target, target


def _host(target: PostgresTarget, source: ExitStack, progress: Progress) -> Host | None:
    """The VPN host, connected; None where the server is reached directly."""
    if target.via is None:
        return None
    from greenroom.ssh.connection import connected

    progress.step(f"connecting to {target.via}")
    return source.enter_context(connected(target.via))


def _refuse(request: CopyRequest, origin: Origin, rules: list[Rule], scratch: Path, progress: Progress) -> bool:
    """What must not be, or does not fit, before anything is made. Raises GreenroomError.

    Returns whether the copy is masked well enough to outlive its rehearsal, were the target sensitive.
    """
    name, target = _target(request)
    with asking(origin.real), connect(origin.address, read_only=True) as connection:
        if request.keep and target.sensitive:
            masking.refuse_uncovered(connection, rules, name, large_objects=origin.large_objects)
        readable.refuse_unreadable(connection, origin.real, origin.excluded, large_objects=origin.large_objects)
        covered = bool(rules) and not masking.uncovered(connection, rules)
        covered = covered and not (origin.large_objects and masking.has_large_objects(connection))
        size, masked = patiently(connection, origin.real, progress, lambda: sizes(connection, origin.excluded, rules))
    data = scratch if request.server == EMBEDDED else _data_of_container(request)
    room.refuse_too_small(size, archive=scratch if target.via else None, data=data, rewritten_bytes=masked)
    return covered


def _data_of_container(request: CopyRequest) -> Path | None:
    """None for a server that was given."""
    if not request.server.startswith(DOCKER):
        return None
    from greenroom.postgres import containers

    return containers.data_directory()


def _ahead(request: CopyRequest, origin: Origin, early: ExitStack) -> Ahead | None:
    """The server that this source's archive will want, by all that is known; to be started while that is written."""
    if request.server != EMBEDDED:
        return None
    return Ahead(early, server_for(origin.facts.major, origin.facts.extensions.keys() - {workers.CRON}))


def _content(
    request: CopyRequest,
    origin: Origin,
    road: Road,
    rules: list[Rule],
    scratch: Path,
    source: ExitStack,
    progress: Progress,
    ahead: Ahead | None,
) -> Content:
    progress.step(f"reading the schema of {origin.real.database}")
    road.schema(origin, scratch / "schema", progress, ahead.start if ahead else None)
    coming = source.enter_context(_statistics(request, origin, rules))
    archive = archives.inspect(scratch / "schema", archives.of_database(origin.real.database))

    def fill(
        target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> list[Statistics] | None:
        road.fill(origin, target, before_indexes, progress)
        statistics = coming.arrived()
        source.close()
        return statistics

    def masks(target: restoring.Target) -> list[str]:
        with connect(target.address) as connection:
            return masking.apply(connection, rules)

    return Content(
        archive=archive,
        described=f"{request.target}: {origin.real}",
        method=road.method,
        client=archives.restorer_for(archive),
        fill=fill,
        source_facts=origin.facts,
        settings=origin.taken_over,
        role_settings=origin.role_settings,
        masks=masks if rules else None,
        notes=[
            *([road.note] if road.note else []),
            *origin.left_out_notes,
            *origin.unknown_notes,
            *dumping.left_behind(origin.subscriptions, origin.mapped_servers, cron=origin.has_cron),
        ],
    )


def _statistics(request: CopyRequest, origin: Origin, rules: list[Rule]) -> AbstractContextManager[Coming]:
    """The planner's, on their way; not of tables whose rows are masked, or stay there: they tell values of these."""
    if request.server_is_given:
        return nullcontext(NONE_COME)
    never = [*origin.left_out, *((rule.schema, rule.table) for rule in rules)]
    without_timeouts = patient(origin.address, origin.facts.version_num)
    return coming(without_timeouts, never, tls=origin.facts.tls, shares=restoring.jobs())
