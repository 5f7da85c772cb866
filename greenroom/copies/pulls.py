"""LOCAL: a target's data, pulled through its VPN host where it has one, and restored here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from greenroom.config import PostgresTarget
from greenroom.console import Progress
from greenroom.copies import far, snapshot
from greenroom.copies.acquiring import DOCKER, EMBEDDED, Acquired, CopyRequest, Method
from greenroom.copies.far import FarDump
from greenroom.copies.origin import Origin, read
from greenroom.copies.reach import reached
from greenroom.copies.restored import Content, restored
from greenroom.postgres import archive as archives
from greenroom.postgres import binaries as programs
from greenroom.postgres import cluster, copying, dumping, masking, readable, restoring, room, sections, snapshots
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.lock_wait import patiently
from greenroom.postgres.masking import Rule
from greenroom.postgres.server import asking, connect
from greenroom.postgres.snapshots import Key

if TYPE_CHECKING:
    from greenroom.ssh.host import Host


class Road(Protocol):
    """How schema and rows come here."""

    method: Method
    note: str | None

    @property
    def described(self) -> str:
        """Which programs read the source, for people."""

    def look(self, origin: Origin, path: Path, progress: Progress) -> None:
        """An archive with the schema and no row."""

    def schema(self, origin: Origin, path: Path, progress: Progress) -> None:
        """An archive with the schema at least: what it needs is looked at before anything is made."""

    def fill(
        self, origin: Origin, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> None:
        """Schema and rows into the empty copy."""


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
    return Seen(origin, rules, _road(host, origin, source, scratch, via_file=request.via_file), covered)


@contextmanager
def _pulled(request: CopyRequest, key: Key | None, progress: Progress) -> Iterator[Acquired]:
    with cluster.private_directory() as scratch, ExitStack() as source:
        seen = look(request, scratch, source, progress)
        origin = seen.origin
        content = _content(request, origin, seen.road, seen.rules, scratch, source.close, progress)
        if key:
            masks = [str(rule) for rule in seen.rules if rule.changes]
            content.keep_snapshot = snapshot.keeper(
                key, request, origin.facts, origin.taken_over, masks, ages=True, covered=seen.covered
            )
        with restored(content, request, progress) as acquired:
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
            masking.refuse_uncovered(connection, rules, name)
        readable.refuse_unreadable(connection, origin.real, origin.excluded)
        covered = bool(rules) and not masking.uncovered(connection, rules)
        size = patiently(connection, origin.real, progress, lambda: room.size_to_copy(connection, origin.excluded))
    masked = max((origin.sizes.get(f"{rule.schema}.{rule.table}", 0) for rule in rules if rule.changes), default=0)
    data = scratch if request.server == EMBEDDED else _data_of_container(request)
    room.refuse_too_small(size, archive=scratch if target.via else None, data=data, rewritten_bytes=masked)
    return covered


def _data_of_container(request: CopyRequest) -> Path | None:
    """None for a server that was given."""
    if not request.server.startswith(DOCKER):
        return None
    from greenroom.postgres import containers

    return containers.data_directory()


def _road(host: Host | None, origin: Origin, source: ExitStack, scratch: Path, *, via_file: bool) -> Road:
    """A dump on the VPN host, where that can make one; else the rows are copied from here, through the tunnel."""
    if host is None:
        return Here(programs.client_for(origin.facts.major, tls=origin.facts.tls), source)
    there = far.far_dump(host, origin)
    if isinstance(there, FarDump):
        return There(there, scratch, via_file)
    return Here(
        programs.client_for(origin.facts.major, tls=origin.facts.tls), source, f"{there.why}: copied through a tunnel"
    )


@dataclass
class Here:
    """Programs of this machine, connected to the source until `source` is closed."""

    client: Binaries
    source: ExitStack
    note: str | None = None
    method: Method = "copy"
    begun: copying.Begun | None = None

    @property
    def described(self) -> str:
        """Of which PostgreSQL."""
        return f"{self.note or 'copied from here'}, with the programs of PostgreSQL {self.client.major}"

    def look(self, origin: Origin, path: Path, progress: Progress) -> None:
        """By pg_dump of this machine."""
        with far.private_file(path) as file:
            dumping.dump_into(
                file,
                origin.address,
                self.client,
                progress,
                [],
                compress=dumping.UNCOMPRESSED,
                encoding=origin.facts.encoding,
                only_schema=True,
            )

    def schema(self, origin: Origin, path: Path, progress: Progress) -> None:
        """By pg_dump of this machine, in the snapshot in which the rows are read."""
        with far.private_file(path) as file:
            stored = restoring.Stored(path, f"the archive of {origin.real.database}")
            begin = copying.begun(origin.address, self.client, file, stored, progress, exclude_data=origin.exact_names)
            self.begun = self.source.enter_context(begin)

    def fill(
        self, origin: Origin, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> None:
        """In parallel."""
        assert self.begun
        progress.step(f"copying {origin.real.database} from {origin.real.server}")
        try:
            copying.finish(self.begun, target, progress, before_indexes)
        finally:
            self.begun.stored.path.unlink(missing_ok=True)


@dataclass
class There:
    """pg_dump on the VPN host; its archive is restored here, and removed at once."""

    dump: FarDump
    scratch: Path
    via_file: bool
    note: str | None = None
    method: Method = "restore"
    compress: str = ""

    @property
    def described(self) -> str:
        """Of which PostgreSQL, and whether the archive lies on the host's disk meanwhile."""
        how = "into a file there, then brought here" if self.via_file else "streamed here"
        return f"pg_dump {self.dump.major} on {self.dump.host.label}, {how}"

    def look(self, origin: Origin, path: Path, progress: Progress) -> None:
        """By pg_dump of the VPN host."""
        self.schema(origin, path, progress)

    def schema(self, origin: Origin, path: Path, progress: Progress) -> None:
        """By pg_dump of the VPN host."""
        self.compress = far.schema(self.dump, origin, path)

    def fill(
        self, origin: Origin, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> None:
        """Dump, bring here, restore in parallel."""
        path = self.scratch / "dump"
        progress.step(f"dumping {origin.real.database} on {self.dump.host.label}")
        try:
            bring = far.by_file if self.via_file else far.stream
            bring(self.dump, origin, self.compress, path, progress)
            archive = archives.inspect(path)
            progress.step(f"restoring {origin.real.database}")
            target.sizes = origin.sizes_to_come
            sections.restore_file(path, target, archives.restorer_for(archive), progress, before_indexes)
        finally:
            path.unlink(missing_ok=True)


def _content(
    request: CopyRequest,
    origin: Origin,
    road: Road,
    rules: list[Rule],
    scratch: Path,
    close_source: Callable[[], None],
    progress: Progress,
) -> Content:
    progress.step(f"reading the schema of {origin.real.database}")
    road.schema(origin, scratch / "schema", progress)
    archive = archives.inspect(scratch / "schema")

    def fill(target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress) -> None:
        road.fill(origin, target, before_indexes, progress)
        close_source()

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
        masks=masks if rules else None,
        notes=[
            *([road.note] if road.note else []),
            *([f"not copied: the rows of {', '.join(origin.excluded)}"] if origin.excluded else []),
            *dumping.left_behind(origin.subscriptions),
        ],
    )
