"""The directory of the snapshots: what is there is whole, what is half made or half removed is never used.

Every snapshot is a directory of its own. The kernel's lock on it says that it is being cloned (shared), or being made
or removed (exclusive), and ends with its holder. It gets its name when it is whole, and loses it before it goes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from greenroom import places, shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres.account import dies_with_us

FREE_SHARE = 10  # a tenth of the disk stays free

_MAKING, _GOING = ".making-", ".going-"


def directory() -> Path:
    """Beside the data of running servers, so that a clone can share their blocks; readable by its owner alone."""
    place = places.scratch() / "snapshots"
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    return place


@contextmanager
def making() -> Iterator[Path]:
    """A directory that becomes a snapshot by `name_it`; without that it is removed at the end of the block."""
    place = directory()
    sweep(place)
    with _locked(place):
        path = place / f"{_MAKING}{secrets.token_hex(4)}"
        path.mkdir(mode=0o700)
        held = _lock(path, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        with shielded():
            shutil.rmtree(path, ignore_errors=True)
            if held is not None:
                os.close(held)


def name_it(path: Path, name: str) -> Path:
    """It is whole, on the disk too: from now on it is there under its name."""
    shell.run(["sync", "-f", path])  # else a power cut could leave a name without the bytes
    return path.rename(path.with_name(name))


@contextmanager
def reading(path: Path) -> Iterator[bool]:
    """Whether the snapshot is there; then it stays for as long as the block lasts."""
    held = _lock(path, fcntl.LOCK_SH)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


def remove(path: Path) -> bool:
    """Remove a snapshot; false when somebody clones it at this moment."""
    held = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if held is None:
        return not path.exists()
    try:
        going = path.rename(path.with_name(f"{_GOING}{secrets.token_hex(4)}"))
    finally:
        os.close(held)
    shutil.rmtree(going, ignore_errors=True)
    return True


def sweep(place: Path) -> None:
    """Remove what killed processes have left half made or half removed."""
    with _locked(place):
        left = [path for pattern in (_MAKING, _GOING) for path in place.glob(f"{pattern}*") if _abandoned(path)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


def named() -> list[Path]:
    """Every snapshot's directory, in no order."""
    return [path for path in directory().iterdir() if path.is_dir() and not path.name.startswith(".")]


def clone(data: Path, into: Path) -> None:
    """The files of a data directory at rest, sharing their blocks where the file system can. Raises GreenroomError."""
    done = shell.run([*dies_with_us(), "cp", "-a", "--reflink=auto", data, into], check=False)
    if done.code != 0:
        shutil.rmtree(into, ignore_errors=True)  # at once: on a disk that is full the server could not start again
        raise GreenroomError(f"cloning its files failed: {shell.last_line(done.stderr)}.")


def shares_blocks(data: Path, into: Path) -> bool:
    """Whether a clone of `data` in `into` would cost no room."""
    probe = into / "probe"
    done = shell.run(["cp", "--reflink=always", data / "PG_VERSION", probe], check=False)
    probe.unlink(missing_ok=True)
    return done.code == 0


def spare_bytes() -> int:
    """How much may still be written there before less than a tenth of the disk is free; negative when it is so."""
    found = os.statvfs(directory())
    return (found.f_bavail - found.f_blocks // FREE_SHARE) * found.f_frsize


@dataclass(frozen=True)
class Measured:
    """Files below a directory: how many, the sum of their lengths, and the bytes that they take on the disk."""

    files: int
    length: int
    taken: int


def measured(data: Path) -> Measured:
    """Of a directory; of one that is not there, nothing."""
    files = length = taken = 0
    for folder, _, inside in os.walk(data):
        for name in inside:
            with suppress(FileNotFoundError):
                found = os.lstat(os.path.join(folder, name))
                files, length, taken = files + 1, length + found.st_size, taken + found.st_blocks * 512
    return Measured(files, length, taken)


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """For the moments in which a name and a lock must change together."""
    held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _lock(path: Path, how: int) -> int | None:
    """The descriptor that holds the lock on a directory; None when it is taken, gone, or has another name by now."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, how)
        if os.fstat(held).st_ino == path.stat().st_ino:
            return held
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.ENOENT):
            os.close(held)
            raise
    os.close(held)
    return None


def _abandoned(path: Path) -> bool:
    held = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if held is not None:
        os.close(held)
    return held is not None
