"""Where files lie that are not the checkout's: throw-away data, what may be made again, and what must be remembered."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import tempfile
from pathlib import Path

from greenroom.errors import GreenroomError

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
_TOP_OF_HIERARCHIES = 0x00020000  # FS_TOPDIR_FL: `chattr +T`
_OTHER_TMPDIR, _OTHER_HOME = (f"Set {name} to a directory that you may write." for name in ("TMPDIR", "HOME"))


def scratch() -> Path:
    """Where data directories of throw-away servers go: `$TMPDIR`, else /var/tmp, which is a disk where /tmp is memory.

    Others may pass through it, not look around in it. Raises GreenroomError when it belongs to somebody else, or cannot
    be written.
    """
    chosen = _variable("TMPDIR")
    parent = Path(chosen) if chosen else _first_writable(Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108
    place = parent / f"greenroom-{os.getuid()}"
    _writable(_made(place, 0o711, _OTHER_TMPDIR), _OTHER_TMPDIR)
    found = place.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise GreenroomError(
            f"{place} is no directory of yours, and a copy of the data would lie in it.",
            "Remove it, or set TMPDIR to a directory of your own.",
        )
    place.chmod(0o711)
    _spread(place)
    return place


def cache() -> Path:
    """What can be made again: `$XDG_CACHE_HOME/greenroom`."""
    return _private(Path(_variable("XDG_CACHE_HOME") or Path.home() / ".cache") / "greenroom")


def state() -> Path:
    """What must be remembered between two runs: `$XDG_STATE_HOME/greenroom`."""
    place = _private(Path(_variable("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "greenroom")
    return _writable(place, _OTHER_HOME)


def _spread(place: Path) -> None:
    """Tell the file system, where it can be told (ext4), that what lies in the directory is unrelated.

    Else it keeps the files of all servers close together, and passes over each one that was just removed before it
    makes a new one: a server's thousand files then take a second instead of a tenth.
    """
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flags = int.from_bytes(fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)), sys.byteorder)
        if not flags & _TOP_OF_HIERARCHIES:
            fcntl.ioctl(descriptor, _SET_FLAGS, (flags | _TOP_OF_HIERARCHIES).to_bytes(8, sys.byteorder))
    except OSError:  # a hint is all it is
        pass
    finally:
        os.close(descriptor)


def _private(place: Path) -> Path:
    return _made(place, 0o700, _OTHER_HOME, parents=True)


def _made(place: Path, mode: int, remedy: str, *, parents: bool = False) -> Path:
    try:
        place.mkdir(mode=mode, parents=parents, exist_ok=True)
    except OSError as error:
        raise GreenroomError(f"{place} cannot be made: {error.strerror}.", remedy) from error
    return place


def _writable(place: Path, remedy: str) -> Path:
    if not os.access(place, os.W_OK | os.X_OK):
        raise GreenroomError(f"{place} cannot be written.", remedy)
    return place


def _first_writable(*places: Path) -> Path:
    return next((place for place in places if os.access(place, os.W_OK | os.X_OK)), places[-1])


def _variable(name: str) -> str | None:
    """One of the few variables that say where a user's files go: no setting of greenroom or the app."""
    value = os.environ.get(name)  # noqa: TID251
    return value if value and value.startswith("/") else None
