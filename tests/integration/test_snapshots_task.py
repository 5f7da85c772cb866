"""`snapshots` as a person types it: shows them and removes those that are named; db-reap takes the old ones."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from greenroom.postgres import snapshots
from greenroom.postgres.embedded import Server
from greenroom.postgres.snapshots import Key
from tests.integration.stored_shop import kept, scratch, server

pytestmark = pytest.mark.full

__all__ = ["scratch", "server"]


def inv(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "greenroom", "snapshots", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_task_shows_the_snapshots_and_removes_the_one_that_is_named(server: Server) -> None:
    first, second = (kept(server, Key(f"target {name}", name, name)).snapshot for name in ("staging", "demo"))
    assert first and second

    shown, dry, unasked = inv(), inv("--drop", first.name, "--dry-run"), inv("--drop", first.name)
    assert (shown.returncode, dry.returncode, unasked.returncode) == (0, 0, 2)
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:3]] == [
        [first.name, "target", "staging"],
        [second.name, "target", "demo"],
    ]
    assert "PostgreSQL 18." in shown.stdout and "1 column " in shown.stdout and " whole" in shown.stdout
    assert len(dry.stdout.splitlines()) == 3
    assert snapshots.listed() == [first, second]

    removed = inv("--drop", first.name, "--yes")
    assert (removed.returncode, removed.stdout.splitlines()[-1]) == (0, f"removed {first.name}")
    assert snapshots.listed() == [second]

    everything, nothing = inv("--drop", "all", "--yes"), inv()
    assert (everything.returncode, nothing.stdout) == (0, "No snapshots are kept.\n")


def test_task_shows_until_when_a_target_s_stays_and_reap_takes_it_then(server: Server) -> None:
    kept(server)
    young = kept(server, Key("target staging", "staging", "d2"), max_age_hours=24).snapshot
    assert young and young.until
    until = young.until[:16].replace("T", " ")
    lines = inv().stdout.splitlines()
    assert [until in line for line in lines] == [False, False, True, False] and "until (UTC)" in lines[0]

    old = kept(server, Key("target staging", "staging", "d2"), max_age_hours=0.001).snapshot
    assert old and old.path.exists()
    time.sleep(4)
    words = [sys.executable, "-m", "greenroom", "db-reap", "--yes"]
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert not old.path.exists() and len(snapshots.listed()) == 1


def test_task_tells_of_a_snapshot_that_is_not_there(scratch: Path) -> None:
    refused = inv("--drop", "nothing-1")

    assert (refused.returncode, refused.stderr) == (
        1,
        "there is no snapshot nothing-1.\n  ./inv snapshots shows those that there are.\n",
    )
