"""How a source's schema and rows come here: by programs of this machine, or by pg_dump on the VPN host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from greenroom.console import Progress
from greenroom.copies import far
from greenroom.copies.acquiring import Method
from greenroom.copies.far import FarDump
from greenroom.copies.origin import Origin
from greenroom.postgres import archive as archives
from greenroom.postgres import binaries as programs
from greenroom.postgres import copying, dumping, restoring, sections
from greenroom.postgres.binaries import Binaries

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

    def schema(
        self, origin: Origin, path: Path, progress: Progress, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """An archive with the schema at least, which is looked at before a copy is made; `meanwhile` is for others."""

    def fill(
        self, origin: Origin, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> None:
        """Schema and rows into the empty copy."""


def road(host: Host | None, origin: Origin, source: ExitStack, scratch: Path, *, via_file: bool) -> Road:
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

    def schema(
        self, origin: Origin, path: Path, progress: Progress, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """By pg_dump of this machine, in the snapshot in which the rows are read."""
        with far.private_file(path) as file:
            stored = restoring.Stored(path, archives.of_database(origin.real.database))
            begin = copying.begun(
                origin.address,
                self.client,
                file,
                stored,
                progress,
                exclude_data=origin.exact_names,
                options=origin.dump_options,
                meanwhile=meanwhile,
            )
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

    def schema(
        self, origin: Origin, path: Path, progress: Progress, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """By pg_dump of the VPN host."""
        self.compress = far.schema(self.dump, origin, path, meanwhile)

    def fill(
        self, origin: Origin, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
    ) -> None:
        """Dump, bring here, restore in parallel."""
        path = self.scratch / "dump"
        progress.step(f"dumping {origin.real.database} on {self.dump.host.label}")
        try:
            bring = far.by_file if self.via_file else far.stream
            bring(self.dump, origin, self.compress, path, progress)
            archive = archives.inspect(path, archives.of_database(origin.real.database))
            progress.step(f"restoring {origin.real.database}")
            target.sizes = origin.sizes_to_come
            stored = restoring.Stored(path, archive.name)
            sections.restore_stored(stored, target, archives.restorer_for(archive), progress, before_indexes)
        finally:
            path.unlink(missing_ok=True)
