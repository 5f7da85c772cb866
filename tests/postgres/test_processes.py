"""Whether a process lives."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from greenroom.postgres import processes
from greenroom.postgres.processes import Process


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


def test_process_is_known_by_when_it_began() -> None:
    me, began = os.getpid(), processes.began(os.getpid())
    assert began > 0
    assert processes.lives(me, ago(0), began) and not processes.lives(me, ago(0), began + 1)
    assert processes.lives(me, "2001-01-01T00:00:00+00:00", began), "the clock was set: it is the same all the same"


def test_process_is_seen_on_its_own_machine_alone() -> None:
    here = processes.machine()
    assert Process(1, ago(0), here).seen
    assert not Process(1, ago(0), f"another-{here}").seen and not Process(1, ago(0)).seen


def test_numbers_of_another_space_are_another_machine_s() -> None:
    """A container's processes have numbers of their own, and its name may be ours."""
    space = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    words = [*space, sys.executable, "-c", "from greenroom.postgres import processes; print(processes.machine())"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        assert "CI" not in os.environ, done.stderr
        pytest.skip("this machine lets nobody have a space of process numbers")
    boot, _, numbers = done.stdout.strip().partition("/")
    assert processes.machine().startswith(f"{boot}/") and not processes.machine().endswith(f"/{numbers}")


def test_machine_is_nameless_where_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_BOOT", tmp_path / "boot_id")
    assert processes.machine() == ""


def test_number_decides_where_the_system_does_not_tell_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "began", lambda _pid: 0)
    assert processes.lives(os.getpid(), "2001-01-01T00:00:00+00:00")
