"""The one room that runs programs: argv lists only, no shell; it alone quotes and redacts."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL as DEVNULL  # these four for the callers of `spawn`
from subprocess import PIPE as PIPE
from subprocess import STDOUT as STDOUT
from subprocess import TimeoutExpired as TimeoutExpired
from typing import AnyStr

from greenroom.errors import GreenroomError, Terminated


class Popen(subprocess.Popen[AnyStr]):
    """subprocess's, whose `wait` with a timeout ends with the program, where the kernel can tell (Linux, by a pidfd).

    subprocess itself looks now and then, and is up to 50 ms late: much, beside a pg_dump of 100 ms.
    """

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutExpired after `timeout` seconds."""
        if timeout and self.poll() is None and hasattr(os, "pidfd_open"):
            with suppress(ProcessLookupError, PermissionError):
                self._told_of_its_end(timeout)
            timeout = 0
        return super().wait(timeout)

    def _told_of_its_end(self, timeout: float) -> None:
        descriptor = os.pidfd_open(self.pid)
        try:
            telling = select.poll()
            telling.register(descriptor, select.POLLIN)
            telling.poll(timeout * 1000)
        finally:
            os.close(descriptor)


@dataclass(frozen=True)
class Result:
    """What a program that has ended said; `code` is its exit code, 127 when it is not on this machine."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> Result:
    """Run a program to its end and return what it printed. `env` is added to this process's own.

    Raises GreenroomError (exit code 2) when the program is missing, and, with `check`, when it fails: with the last
    line that it wrote to standard error.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except FileNotFoundError:
        if check:
            raise GreenroomError(
                f"{words[0]} is not on this machine.", f"Install it, then run again: {words[0]}"
            ) from None
        return Result(tuple(words), 127, "", f"{words[0]}: not found")
    if check and done.returncode != 0:
        raise GreenroomError(f"`{shlex.join(words)}` failed with exit code {done.returncode}: {last_line(done.stderr)}")
    return Result(tuple(words), done.returncode, done.stdout, done.stderr)


def spawn(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, **options: object
) -> Popen[bytes]:
    """Start a program and return at once; `options` are Popen's. The caller ends it."""
    words = [str(word) for word in argv]
    return Popen(words, env={**os.environ, **(env or {})}, cwd=cwd, **options)  # type: ignore[call-overload,no-any-return]


def foreground(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Run a program on this terminal, to its end, and return its exit code (128 + N when signal N ended it).

    A signal that asks to stop ends the program first, which may clean up, and is raised here afterwards.
    """
    with spawn(argv, env=env, cwd=cwd) as child:
        asked: BaseException | None = None
        while True:
            try:
                code = child.wait()
                break
            except (KeyboardInterrupt, Terminated) as stop:
                # Ctrl-C on a terminal reaches the whole group: the child has it already, and a second one hurts.
                # Else SIGINT for SIGTERM too: it makes a Python program unwind, and SIGTERM does not.
                if isinstance(stop, Terminated) or not sys.stdin.isatty():
                    child.send_signal(signal.SIGINT)
                asked = stop
    if asked:
        raise asked
    return code if code >= 0 else 128 - code


def variable(name: str) -> str | None:
    """An environment variable that the configuration names; None when it is not set, or empty."""
    return os.environ.get(name) or None


def without(names: Iterable[str]) -> dict[str, str]:
    """Take variables out of the environment of this process and of all that it starts; those that were set."""
    return {name: os.environ.pop(name) for name in names if name in os.environ}


def set_variable(name: str, value: str) -> None:
    """For this process and all that it starts: what an option says in place of the environment."""
    os.environ[name] = value


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(it printed nothing)"


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return text
