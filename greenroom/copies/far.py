"""pg_dump and pg_restore on the VPN host, near the server: what travels is one compressed stream, or nothing at all."""

from __future__ import annotations

import errno
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from greenroom.console import REFRESH_SECONDS, Progress
from greenroom.copies.meter import Meter
from greenroom.copies.origin import Origin
from greenroom.errors import GreenroomError
from greenroom.postgres import binaries as programs
from greenroom.postgres import dump_failure, dumping, restoring
from greenroom.postgres.address import KEPT_ALIVE, Address
from greenroom.postgres.arriving import Arriving, arriving
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.server import only_reading
from greenroom.postgres.speakers import alone
from greenroom.secret import Secret

if TYPE_CHECKING:
    from greenroom.ssh.host import Host
    from greenroom.ssh.remote import Remote

CHUNK = 1 << 18
TICK_SECONDS = 1.0
ENGLISH = ("env", "LC_ALL=C")  # its words are read below
_LOOK = (
    "for p in /usr/lib/postgresql/*/bin/pg_dump /usr/pgsql-*/bin/pg_dump pg_dump; do"
    ' p=$(command -v "$p") && v=$("$p" --version 2>/dev/null) && echo "$p $v"; done; true'
)
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_DUMP_FAILED = "GREENROOM-DUMP-FAILED"
_FOUND = re.compile(r"^(?P<program>\S+) pg_dump \(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)", re.MULTILINE)
_TABLE = re.compile(r"dumping contents of table \"(.+)\"")


@dataclass(frozen=True)
class FarDump:
    """A pg_dump on the VPN host that can dump the server, and whose archives can be restored here."""

    host: Host
    program: str
    major: int

    @property
    def compressions(self) -> list[str]:
        """As its --compress takes them, the best first; a build may lack the first."""
        if self.major < 16:
            return ["1"]
        return [f"{name}{level}" for name, level in (("zstd", ":1"), ("lz4", "")) if self._read_here(name)] + ["gzip:1"]

    def _read_here(self, compression: str) -> bool:
        return any(found.major >= self.major and found.reads(compression) for found in programs.found())


@dataclass(frozen=True)
class Unfit:
    """No pg_dump on the VPN host will do, and `why`."""

    why: str


def far_dump(host: Host, origin: Origin) -> FarDump | Unfit:
    """The oldest pg_dump of the host that is not older than the server, and not newer than what can restore here.

    None of them verifies the server's certificate: that of its authority lies here.
    """
    if origin.real.options.get("sslmode", "").startswith("verify-"):
        return Unfit(f"the server's certificate is verified from here, and {host.label} has not its authority's")
    newest_here = max((found.major for found in programs.found()), default=0)
    found = list(_FOUND.finditer(host.run(["sh", "-c", _LOOK]).stdout))
    new_enough = [match for match in found if int(match["major"]) >= origin.facts.major]
    able = [match for match in new_enough if int(match["major"]) <= newest_here]
    if able:
        chosen = min(able, key=lambda match: int(match["major"]))
        return FarDump(host, chosen["program"], int(chosen["major"]))
    has = f"{host.label} has pg_dump {_versions(new_enough or found)}"
    if new_enough:
        return Unfit(f"{has}, whose archives pg_restore {newest_here}, the newest here, cannot read")
    older = f"{has}, older than the server ({origin.facts.version})"
    return Unfit(older if found else f"{host.label} has no pg_dump")


def _versions(found: list[re.Match[str]]) -> str:
    return " and ".join(sorted({match["version"] for match in found}))


def schema(far: FarDump, origin: Origin, path: Path, meanwhile: Callable[[], None] | None = None) -> str:
    """An archive of the schema alone in `path`; returns the compression that this pg_dump knows.

    `meanwhile` is called while it is written, once for each compression that is tried.
    """
    for compress in far.compressions:
        words = _words(far, origin, [], compress, "--schema-only")
        with far.host.running(words, secrets=_secrets(origin.real)) as remote, private_file(path) as file:
            if meanwhile:
                meanwhile()
            for chunk in _chunks(remote):
                file.write(chunk)
            if remote.wait() == 0:
                return compress
            if "compress" not in remote.stderr:  # another one would fail in the same way
                break
    raise _failure(remote.stderr, origin.real, far)


def stream(far: FarDump, origin: Origin, compress: str, path: Path, progress: Progress) -> None:
    """The whole archive over the channel into `path`: nothing touches the host's disk. Raises GreenroomError."""
    meter, done = Meter(progress), 0
    words = _words(far, origin, origin.left_out, compress, "--verbose")
    with (
        far.host.running(words, secrets=_secrets(origin.real)) as remote,
        private_file(path) as file,
        _dumping(origin) as under_way,
    ):
        for chunk in _ticking(remote):
            file.write(chunk)
            done += len(chunk)
            meter.tell(done, under_way.hears(remote.stderr).share)
        if remote.wait() != 0:
            raise _failure(remote.stderr, origin.real, far)


def by_file(far: FarDump, origin: Origin, compress: str, path: Path, progress: Progress) -> None:
    """The whole archive in a private directory of the host first, then brought here; a cut transfer is resumed."""
    from greenroom.ssh.transfer import fetch

    assert origin.via is not None
    with far.host.private_directory() as directory:
        there = f"{directory}/dump"
        words = _words(far, origin, origin.left_out, compress, "--verbose", f"--file={there}")
        said, merged = "", ["sh", "-c", f"exec {shlex.join(words)} 2>&1"]
        with far.host.running(merged, secrets=_secrets(origin.real)) as remote, _dumping(origin) as under_way:
            for chunk in _ticking(remote):
                said += chunk.decode(errors="replace")
                progress.detail(under_way.hears(said).told())
            if remote.wait() != 0:
                raise _failed_there(said, origin, far)
        progress.step(f"bringing the archive from {far.host.label}")
        meter: Meter | None = None

        def told(done: int, total: int) -> None:
            nonlocal meter
            meter = meter or Meter(progress, total)
            meter.tell(done)

        with explained_disk(path):
            fetch(origin.via, there, path, told)


def pipe(far: FarDump, origin: Origin, target: restoring.Target, progress: Progress) -> None:
    """pg_dump | pg_restore on the host itself, into another database of the same server. Raises GreenroomError."""
    into = replace(target, address=_near(origin.real.at(target.address.database)))
    restore = into.words(Binaries(Path(far.program).parent, far.major))
    dump = shlex.join(_words(far, origin, origin.left_out, dumping.UNCOMPRESSED))
    put = shlex.join([*ENGLISH, *map(str, restore)])
    words = ["sh", "-c", f"{{ {dump} || echo {_DUMP_FAILED} >&2; }} | {put} 2>&1"]
    with (
        far.host.running(words, secrets=_secrets(origin.real)) as remote,
        arriving(origin.sizes_to_come, target.address) as rows,
    ):
        restoring.watch(
            alone(_lines(remote)), target, progress, lambda: _failure(remote.stderr, origin.real, far), rows
        )
        code = remote.wait()
        if _DUMP_FAILED in remote.stderr:
            raise _failure(remote.stderr, origin.real, far)
        if code not in (0, 1):  # 1: it passed over errors, which were judged
            raise GreenroomError(
                f"pg_restore on {far.host.label} ended with {code}.", "Run again; is memory short there?"
            )


def _lines(remote: Remote) -> Iterator[bytes]:
    rest = b""
    for chunk in _ticking(remote):
        if not chunk:
            yield b""
            continue
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    yield rest


def _failed_there(said: str, origin: Origin, far: FarDump) -> GreenroomError:
    if any(words in said for words in _NO_ROOM):
        return GreenroomError(
            f"the disk of {far.host.label} is full: the archive of {origin.real.database} does not fit there.",
            "Leave --via-file out: then nothing touches that disk.",
        )
    return _failure(said, origin.real, far)


def _failure(said: str, real: Address, far: FarDump) -> GreenroomError:
    return dump_failure.failure(said, real, place=far.host.label)


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file of ours alone, to write. Raises GreenroomError when the disk is full."""
    with explained_disk(path), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file


@contextmanager
def explained_disk(path: Path) -> Iterator[None]:
    """Turn a full disk here into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise GreenroomError(
            f"the disk here is full: the archive does not fit into {path.parent}.",
            "Free some space, or set TMPDIR to a directory with more room.",
        ) from error


class _Dumping:
    """Which rows are under way, from what pg_dump says; how far they are, the source tells, which it reads."""

    def __init__(self, rows: Arriving) -> None:
        self.rows = rows
        self._heard_at = float("-inf")

    def hears(self, said: str) -> Arriving:
        """`said` are pg_dump's last words; the same may come again."""
        if time.monotonic() - self._heard_at > REFRESH_SECONDS:
            self._heard_at = time.monotonic()
            for table in _TABLE.findall(said):
                self.rows.begins(table)
        return self.rows


@contextmanager
def _dumping(origin: Origin) -> Iterator[_Dumping]:
    with arriving(origin.sizes_to_come, origin.address, read_only=True) as rows:
        yield _Dumping(rows)


def _ticking(remote: Remote) -> Iterator[bytes]:
    """Its output as it comes; nothing for each TICK_SECONDS in which none came."""
    while True:
        try:
            chunk = remote.read(CHUNK, time.monotonic() + TICK_SECONDS)
        except TimeoutError:
            yield b""
            continue
        if not chunk:
            return
        yield chunk


def _chunks(remote: Remote) -> Iterator[bytes]:
    return iter(lambda: remote.read(CHUNK), b"")


def _words(far: FarDump, origin: Origin, excluded: list[tuple[str, str]], compress: str, *more: str) -> list[str]:
    reading = only_reading(_near(origin.real)).conninfo
    dump = dumping.dump_words(
        far.program,
        reading,
        excluded,
        compress=compress,
        encoding=origin.facts.encoding,
        options=origin.dump_options,
    )
    return [*ENGLISH, *dump, *more]


def _near(real: Address) -> Address:
    """The server as the host knows it."""
    near = {key: value for key, value in real.options.items() if key in ("sslmode", "options", *KEPT_ALIVE)}
    return Address(real.host, real.port, real.database, real.user, None, near)


def _secrets(real: Address) -> dict[str, Secret]:
    return {"PGPASSWORD": real.password} if real.password else {}
