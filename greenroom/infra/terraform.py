"""Running Terraform: JSON lines in, progress out. A signal that asks to stop reaches it exactly once.

Terraform answers the first SIGINT by finishing what it has begun and saving its state, and a second one by killing its
provider in the middle of a call. So it runs in a session of its own, where no terminal sends it any, and gets one from
here; only a person who asks again sends the second.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom import shell
from greenroom.console import Progress
from greenroom.errors import GreenroomError, Terminated
from greenroom.infra.stack import Stack
from greenroom.interrupts import shielded

PROGRAM = "terraform"
LEAST = (1, 11)
_BOX = "╷│╵ "
Message = Mapping[str, Any]
STOPPING = "Terraform finishes what it has begun and saves its state; Ctrl-C once more kills it in the middle"
KILLING = "Terraform is killed"


@dataclass
class Done:
    """How it ended: the exit code, what it complained of, and its lines that were no JSON."""

    code: int
    diagnostics: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[Message]:
        """Those that are more than warnings."""
        return [one for one in self.diagnostics if one.get("severity") == "error"]


def refuse_missing() -> None:
    """Raises GreenroomError where there is no Terraform, or one that is too old."""
    found = shell.run([PROGRAM, "version", "-json"], check=False, env={"CHECKPOINT_DISABLE": "1"})
    if found.code == 127:
        raise GreenroomError(
            "terraform is not on this machine.", "Install 1.11 or newer: developer.hashicorp.com/terraform/install"
        )
    version = re.search(r"(\d+)\.(\d+)", found.stdout)
    if version is None or (int(version[1]), int(version[2])) < LEAST:
        has = f"{version[1]}.{version[2]}" if version else "of a version that it does not tell"
        raise GreenroomError(
            f"terraform {has} is here, and the root module needs 1.11 or newer.", "Install a newer one."
        )


def run(stack: Stack, words: Sequence[str | Path], progress: Progress, heard: Callable[[Message], None]) -> Done:
    """A subcommand with `-json` to its end; `heard` gets every message. Raises Stopped once an interrupted one has."""
    done = Done(0)
    asked: list[BaseException] = []
    argv: list[str | Path] = [PROGRAM, f"-chdir={stack.module}", *words]
    with shell.spawn(
        argv, env=stack.variables, stdin=shell.DEVNULL, stdout=shell.PIPE, stderr=shell.STDOUT, start_new_session=True
    ) as child:
        assert child.stdout
        lines, ended = _Lines(child.stdout.fileno()), False
        while not ended:
            try:
                select.select([child.stdout], [], [])
                with shielded():  # what has been read is taken in before a stop is: nobody would say it again
                    said = lines.read()
                    ended = said is None
                    for line in said or ():
                        _take(line, done, heard)
            except (KeyboardInterrupt, Terminated) as stop:
                asked.append(stop)
                progress.step(STOPPING if len(asked) == 1 else KILLING)
                child.send_signal(signal.SIGINT)
        done.code = child.wait()
    if asked:
        raise Stopped(asked[0], done, killed=len(asked) > 1)
    return done


class Stopped(Exception):
    """It was asked to stop, and has ended: `by` is what asked; twice, and it was `killed`."""

    def __init__(self, by: BaseException, done: Done, *, killed: bool = False) -> None:
        super().__init__(str(by))
        self.by, self.done, self.killed = by, done, killed


def read(stack: Stack, words: Sequence[str | Path]) -> tuple[str, Done]:
    """What a reading subcommand prints, and how it ended: it says what is wrong in a box, on standard error."""
    ended = shell.run([PROGRAM, f"-chdir={stack.module}", *words], env=stack.variables, check=False)
    said = [line.strip(_BOX) for line in ended.stderr.splitlines()]
    return ended.stdout, Done(ended.code, said=[line for line in said if line])


def _take(line: str, done: Done, heard: Callable[[Message], None]) -> None:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        done.said.append(line)
        return
    if isinstance(message.get("diagnostic"), dict):
        done.diagnostics.append(message["diagnostic"])
    heard(message)


@dataclass
class _Lines:
    """Of a pipe, as they come."""

    descriptor: int
    rest: bytes = b""

    def read(self) -> list[str] | None:
        """Those that have ended by now; None at the end of all."""
        if chunk := os.read(self.descriptor, 1 << 16):
            *lines, self.rest = (self.rest + chunk).split(b"\n")
        elif self.rest:
            lines, self.rest = [self.rest], b""
        else:
            return None
        return [line.decode(errors="replace") for line in lines if line.strip()]
