"""The pipe that rows go through: to a psql that writes them, or to a server of ours, which reads it by itself.

Without a psql and a socket in between a copy takes less of the processors' time: docs/copies-speed.md.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from greenroom.shell import DEVNULL

PIPE_BYTES = 1 << 20  # the most that the kernel gives without asking; the two ends meet less often


@dataclass
class Pipe:
    """`mouth` is the stdout of who reads, `ear` the stdin of who writes, `origin` what COPY FROM calls it, as SQL.

    Whoever opens a pipe by its name waits for the other end. So one with a name is `held` here, at both ends, until all
    that was in it is out again, or nobody is left to read it.
    """

    mouth: int
    ear: int
    origin: str = "STDIN"
    held: int | None = None
    _spoilt: bool = False
    _open: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._open = {number for number in (self.mouth, self.ear, self.held) if number is not None and number >= 0}

    def handed_over(self) -> None:
        """Both programs run, and have their ends: when one of them is gone, the other is told."""
        self._close(self.mouth)
        self._close(self.ear)

    def tend(self, read: int | None, written: int | None) -> None:
        """Let go of what is held when the server must have opened it. The exit codes are of both programs, if ended."""
        if self.held not in self._open:
            return
        if read and not self._spoilt:
            self._spoilt = True
            with suppress(BlockingIOError):
                os.write(self.held, b"\0")  # what failed may have written nothing, and the server waits for something
        if written is not None or (read is not None and not _waiting_in(self.held)):
            self._close(self.held)

    def close(self) -> None:
        """All that is still open here."""
        for number in list(self._open):
            self._close(number)

    def _close(self, number: int) -> None:
        if number in self._open:
            self._open.remove(number)
            os.close(number)


@contextmanager
def pipe(data: Path | None = None) -> Iterator[Pipe]:
    """One for as long as the block lasts; with a name in `data`, the data directory of the server that will read it.

    Through one with a name at least a byte must go, as it does in COPY's binary format.
    """
    if data is None:
        ear, mouth = os.pipe()
        made = Pipe(mouth, ear)
    else:
        path = data / f"greenroom-{secrets.token_hex(4)}.pipe"
        made = _named(path)
    try:
        _widen(made.mouth)
        yield made
    finally:
        made.close()
        if data is not None:
            path.unlink(missing_ok=True)


def _named(path: Path) -> Pipe:
    """PostgreSQL takes the name of a file that it reads as one in its data directory."""
    os.mkfifo(path, 0o600)
    owner = path.parent.stat()
    if owner.st_uid != os.getuid():
        os.chown(path, owner.st_uid, owner.st_gid)
    held = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    return Pipe(os.open(path, os.O_WRONLY), DEVNULL, sql.Literal(path.name).as_string(), held)


def _widen(number: int) -> None:
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the user's pipes have too many pages already
            fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _waiting_in(number: int) -> int:
    """Bytes in it that nobody has read."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, b"\0" * struct.calcsize("i")))
    return int(waiting)
