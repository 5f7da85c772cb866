"""Where a server's socket goes: beside its data, or in /tmp where that path would be too long.

A directory in /tmp has a way back to the private directory that it belongs to: a TMPDIR that was removed as a whole,
with what a killed run had left in it, would leave it there for good.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from greenroom.interrupts import shielded

LONGEST = 107 - len("/.s.PGSQL.65535.lock")
_PLACE, _PREFIX = Path("/tmp"), "greenroom-"  # noqa: S108
_THERE, _BACK = "socket", "of"


def socket_directory(directory: Path) -> Path:
    """`directory` itself, unless its path is longer than the kernel takes, or two hosts to libpq."""
    if len(os.fsencode(directory)) <= LONGEST and "," not in str(directory):
        return directory
    if found := elsewhere(directory):
        return found
    with shielded():
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_PLACE))
        (directory / _THERE).symlink_to(made)
        (made / _BACK).symlink_to(directory)  # the last: without it nobody takes the directory for abandoned
    return made


def elsewhere(directory: Path) -> Path | None:
    """The socket's directory of a private one; None where it is that itself."""
    link = directory / _THERE
    return link.readlink() if link.is_symlink() else None


def move(directory: Path, place: Path) -> None:
    """Rename a private directory; that of its socket belongs to it as before."""
    found = elsewhere(directory)
    if found is None or not found.is_dir():
        directory.rename(place)
        return
    with _held(found, fcntl.LOCK_EX):
        directory.rename(place)
        (found / _BACK).unlink(missing_ok=True)
        (found / _BACK).symlink_to(place)


def remove_abandoned() -> None:
    """Remove this user's directories in /tmp whose private directory has gone, but none where a server answers."""
    for found in _PLACE.glob(f"{_PREFIX}*"):
        with suppress(OSError), _held(found, fcntl.LOCK_EX | fcntl.LOCK_NB) as descriptor:
            mine = os.stat(_BACK, dir_fd=descriptor, follow_symlinks=False).st_uid == os.getuid()
            if mine and not _leads_here(Path(os.readlink(_BACK, dir_fd=descriptor)), found) and not _answers(found):
                shutil.rmtree(found)


def _leads_here(directory: Path, found: Path) -> bool:
    try:
        return (directory / _THERE).readlink() == found
    except FileNotFoundError:
        return False


def _answers(found: Path) -> bool:
    """Whether a server listens in it."""
    return any(_connects(path) for path in found.glob(".s.PGSQL.*") if path.is_socket())


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(str(path)) == 0


@contextmanager
def _held(found: Path, how: int) -> Iterator[int]:
    """Its descriptor, locked for as long as the block lasts."""
    descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, how)
        yield descriptor
    finally:
        os.close(descriptor)
