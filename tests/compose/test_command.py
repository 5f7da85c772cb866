"""What `up --demo` has told when it fails half-way, and what it does the next time."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.compose import command
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.shell import Result


class Stands:
    """A project whose app makes one admin user, and can load data when there is room."""

    password = ""
    room = False
    loaded = 0

    def run(self, *words: str, stdin: str | None, check: bool) -> Result:
        if "load_demo" in words:
            self.loaded += self.room
            return Result(words, 0, "", "") if self.room else Result(words, 1, "", "the disk is full")
        if self.password:
            return Result(words, 0, "", "")
        self.password = (stdin or "").strip()
        return Result(words, 0, "made\n", "")


def test_password_is_told_though_the_data_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    project: Any = Stands()
    told: list[str] = []
    with pytest.raises(GreenroomError, match="the disk is full"):
        command._demo(project, ["load_demo"], Silent(), told.append)
    assert told == [f"log in as admin with the password {project.password} (made now, and shown this once)"]


def test_data_that_could_not_be_loaded_is_loaded_the_next_time() -> None:
    project: Any = Stands()
    with pytest.raises(GreenroomError):
        command._demo(project, ["load_demo"], Silent(), lambda _told: None)
    project.room = True
    told: list[str] = []
    command._demo(project, ["load_demo"], Silent(), told.append)
    assert project.loaded == 1
    assert told == ["admin is there already: ./inv shell, then: python manage.py changepassword admin"]
