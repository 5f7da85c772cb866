"""A target whose copies two scripts make and release, and a copy of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from greenroom.config import CommandTarget
from greenroom.console import Silent
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.lease import Lease
from greenroom.secret import Secret

ROOT = Path(__file__).parents[2]
NAME = "shop__fix_it_3fa2b1"


class Told(Silent):
    """A progress that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, text: str) -> None:
        self.said.append(text)

    def detail(self, text: str) -> None:
        self.said.append(text)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def target(place: Path, acquire: str, release: str = 'echo "$1" >> released', **more: Any) -> CommandTarget:
    """Of two scripts in the test's directory, where `released` says for what `release` was run."""
    first = script(place / "acquire", f"cd {place}\n{acquire}")
    last = script(place / "release", f"cd {place}\n{release}")
    words = {"acquire": [first, "{name}", "{branch}", "{until}"], "release": [last, "{name}"], **more}
    return CommandTarget(kind="command", **words)


def acquired(
    wanted: CommandTarget, progress: Told | None = None, *, password: Secret | None = None, keep: bool = False
) -> AbstractContextManager[EngineCopy]:
    lease = Lease.new(branch="fix_it", source="lab", hours=1, kept=keep)
    return engine_copy(wanted, NAME, lease, password, progress or Told(), keep=keep)


def released(place: Path) -> list[str]:
    file = place / "released"
    return file.read_text().split() if file.exists() else []
