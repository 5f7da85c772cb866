"""What can be done on a host that is connected: run a program, stream one, hold a private directory."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import paramiko

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.secret import Secret
from greenroom.ssh import directory, scripts
from greenroom.ssh.dialling import LOST, lost
from greenroom.ssh.remote import Remote


class Host:
    """A connection to the host at the end of `via`. `label` is for people: user@host.

    Its methods raise Unreachable when the connection is lost.
    """

    def __init__(
        self,
        transport: paramiko.Transport,
        label: str,
        via: str,
        config: Path | None,
        again: Callable[[], AbstractContextManager[Host]],
    ) -> None:
        self.label, self.via, self.config = label, via, config
        self.transport, self.again = transport, again

    def run(
        self,
        words: Sequence[str],
        *,
        secrets: Mapping[str, Secret] = {},
        stdin: bytes = b"",
        check: bool = True,
        timeout: float | None = None,
    ) -> shell.Result:
        """Run a program there to its end and return what it printed; `secrets` become its environment variables.

        `stdin` is small. Raises GreenroomError when it takes longer than `timeout` seconds, and, with `check`, when it
        fails. A program that is not there has the exit code 127.
        """
        return self.script(scripts.PROGRAM, words, secrets=secrets, stdin=stdin, check=check, timeout=timeout)

    def script(
        self,
        script: str,
        words: Sequence[str],
        *,
        secrets: Mapping[str, Secret] = {},
        stdin: bytes = b"",
        check: bool = True,
        timeout: float | None = None,
    ) -> shell.Result:
        """The same for a script of `scripts`, with `words` as its arguments."""
        shown = shlex.join(words) or "a script"
        with self._started(script, words, secrets, stdin) as remote:
            deadline = None if timeout is None else time.monotonic() + timeout
            try:
                output = b"".join(iter(lambda: remote.read(1 << 20, deadline), b""))
                code = remote.wait(deadline)
            except TimeoutError:
                raise GreenroomError(f"`{shown}` on {self.label} did not end within {timeout:g} s.") from None
        if check and code != 0:
            raise GreenroomError(
                f"`{shown}` on {self.label} failed with exit code {code}: {shell.last_line(remote.stderr)}"
            )
        return shell.Result(tuple(words), code, output.decode(errors="replace"), remote.stderr)

    @contextmanager
    def running(self, words: Sequence[str], *, secrets: Mapping[str, Secret] = {}) -> Iterator[Remote]:
        """A program there, for as long as the block lasts; it reads nothing, and its output is read as it comes.

        It is ended when the block ends, and when our process or the connection dies.
        """
        with self._started(scripts.PROGRAM, words, secrets, b"") as remote:
            yield remote

    @contextmanager
    def private_directory(self) -> Iterator[str]:
        """A directory there that only its user may enter (0700), gone afterwards in all cases.

        It outlives this connection, so that a transfer can go on over a new one; when nobody comes back, it is removed
        there after `directory.GRACE_SECONDS`, or by `traces.standing()` before.
        """
        with directory.held(self) as path:
            yield path

    @contextmanager
    def talking(self, script: str, words: Sequence[str]) -> Iterator[Remote]:
        """A script that is talked to: its standard input stays open until the block ends."""
        with self._started(script, words, {}, b"") as remote:
            yield remote

    @contextmanager
    def _started(
        self, script: str, words: Sequence[str], secrets: Mapping[str, Secret], stdin: bytes
    ) -> Iterator[Remote]:
        channel = self._session()
        remote = Remote(channel, self.label)
        try:
            remote.begin(scripts.command_line(words), scripts.opening(script, secrets, stdin))
            yield remote
        finally:
            with shielded():
                remote.end()

    def _session(self) -> paramiko.Channel:
        try:
            return self.transport.open_session()
        except paramiko.ChannelException as error:
            raise GreenroomError(
                f"{self.label} opens no further session (MaxSessions): {error.text}.",
                "Have MaxSessions in its sshd_config be 3 or more.",
            ) from error
        except LOST as error:
            raise lost(self.label) from error
