"""Whether a process lives."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from greenroom.postgres import processes


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_our_own_process_lives() -> None:
    assert processes.lives(os.getpid(), ago(0))


def test_first_process_has_lived_since_the_machine_began() -> None:
    assert processes.lives(1, ago(0)) and not processes.lives(1, "2001-01-01T00:00:00+00:00")


def test_ended_process_does_not_live() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert not processes.lives(child, ago(0))


def test_later_process_of_the_same_number_is_another() -> None:
    assert not processes.lives(os.getpid(), "2001-01-01T00:00:00+00:00")


def test_number_decides_where_the_system_does_not_tell_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_began", lambda _pid: None)
    assert processes.lives(os.getpid(), "2001-01-01T00:00:00+00:00")
