"""What `up --demo` has told when it fails half-way."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.compose import command
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.shell import Result


class Stands:
    """A project whose app makes users, and cannot load data."""

    def run(self, *words: str, stdin: str | None, check: bool) -> Result:
        if "load_demo" in words:
            return Result(words, 1, "", "the disk is full")
        self.password = (stdin or "").strip()
        return Result(words, 0, "made\n", "")


def test_password_is_told_though_the_data_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    project: Any = Stands()
    told: list[str] = []
    with pytest.raises(GreenroomError, match="the disk is full"):
        command._demo(project, ["load_demo"], Silent(), told.append)
    assert told == [f"log in as admin with the password {project.password} (made now, and shown this once)"]
