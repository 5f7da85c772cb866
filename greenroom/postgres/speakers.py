"""Several processes that share one stderr, told apart: pg_restore's jobs write every line in pieces, which mix."""

from __future__ import annotations

import selectors
import socket
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

Line = tuple[int, bytes]  # who said it (a process's number, or ALONE), and what, without the line's end

ALONE = 0
_UCRED = struct.Struct("3i")  # pid, uid, gid: see unix(7)
_AT_ONCE = 1 << 16


class Speakers:
    """Give `mouth` to a child as its stderr, then read `lines`.

    The kernel says which process wrote each piece (SO_PASSCRED, unix(7)), where it has that: Linux. Elsewhere all is
    taken for one's, as from a pipe. A piece may have 64 KiB at most; PostgreSQL's programs write 1 KiB (snprintf.c).
    """

    def __init__(self) -> None:
        self._told_apart = hasattr(socket, "SO_PASSCRED")
        kind = socket.SOCK_SEQPACKET if self._told_apart else socket.SOCK_STREAM
        self._ear, self.mouth = socket.socketpair(socket.AF_UNIX, kind)
        if self._told_apart:
            self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.mouth.close()
        self._ear.close()

    def lines(self, seconds: float) -> Iterator[Line]:
        """Whole lines, until nobody is left to speak; an empty one for each so many seconds in which none came."""
        self.mouth.close()
        begun: defaultdict[int, bytes] = defaultdict(bytes)
        with selectors.DefaultSelector() as selector:
            selector.register(self._ear, selectors.EVENT_READ)
            while True:
                if not selector.select(seconds):
                    yield ALONE, b""
                    continue
                who, piece = self._heard()
                if not piece:
                    break
                *lines, begun[who] = (begun[who] + piece).split(b"\n")
                yield from ((who, line) for line in lines if line)
        yield from ((who, rest) for who, rest in begun.items() if rest)

    def _heard(self) -> Line:
        piece, ancillary, *_ = self._ear.recvmsg(_AT_ONCE, socket.CMSG_SPACE(_UCRED.size))
        credentials = [data for level, kind, data in ancillary if self._told_apart and kind == socket.SCM_CREDENTIALS]
        return (_UCRED.unpack(credentials[0])[0] if credentials else ALONE), piece


def alone(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a single process, without their ends."""
    return ((ALONE, line.rstrip(b"\n")) for line in lines)
