"""A program that runs on the host: its output as a stream, its end, its exit code."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import paramiko

from greenroom.ssh.dialling import LOST, lost
from greenroom.ssh.transport import WINDOW_BYTES

STDERR_BYTES = 64 * 1024
END_SECONDS = 10.0


class Remote:
    """A program on a host. It is ended there when its block ends, and when our process or the connection dies."""

    def __init__(self, channel: paramiko.Channel, label: str) -> None:
        self._channel, self._label = channel, label
        self._buffer = memoryview(b"")
        self._errors = b""
        self._draining = threading.Thread(target=self._drain, name=f"stderr of {label}", daemon=True)

    def begin(self, command_line: str, opening: bytes) -> None:
        """Start it, and say what its script reads first."""
        try:
            self._channel.exec_command(command_line)
            self._draining.start()
            self._channel.sendall(opening)
        except LOST as error:
            raise lost(self._label) from error

    def read(self, size: int, deadline: float | None = None) -> bytes:
        """At most `size` bytes of its output; b"" when it has closed it.

        Raises Unreachable when the connection is lost: what came so far is no whole. Raises TimeoutError at `deadline`.
        """
        if not self._buffer:
            self._channel.settimeout(_left(deadline))
            try:  # all that is there: paramiko moves the rest of its buffer at each read
                self._buffer = memoryview(self._channel.recv(WINDOW_BYTES))
            except (paramiko.SSHException, EOFError) as error:  # it also tells the host to go on
                raise lost(self._label) from error
            if not self._buffer and not self._channel.eof_received:
                raise lost(self._label)
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return bytes(taken)

    def say(self, line: str) -> None:
        """Give it a line to read."""
        try:
            self._channel.sendall(f"{line}\n".encode())
        except LOST as error:
            raise lost(self._label) from error

    @property
    def stderr(self) -> str:
        """The last 64 KiB of what it has written to standard error."""
        return self._errors.decode(errors="replace")

    def wait(self, deadline: float | None = None) -> int:
        """Its exit code, when it has ended; 128 + N when signal N ended it, 255 when its script was killed.

        Raises Unreachable, and TimeoutError at `deadline`.
        """
        while not self._channel.status_event.wait(0.2):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
        code = self._channel.exit_status
        if code < 0 and not self._channel.eof_received:
            raise lost(self._label)
        self._draining.join()
        return code if code >= 0 else 255

    def end(self) -> None:
        """Close its standard input, at which its script ends it, and wait for that a moment."""
        with suppress(*LOST):
            self._channel.shutdown_write()
            self._channel.status_event.wait(END_SECONDS)
        with suppress(*LOST):
            self._channel.close()
        if self._draining.ident:
            self._draining.join()

    def _drain(self) -> None:
        """Its standard error shares the channel's window with its output: unread, it would stop both."""
        with suppress(*LOST):
            while said := self._channel.recv_stderr(WINDOW_BYTES):
                self._errors = (self._errors + said)[-STDERR_BYTES:]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.01, deadline - time.monotonic())
