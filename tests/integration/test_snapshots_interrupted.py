"""A snapshot is whole or not there: what a store leaves that was killed or stopped is never used, and goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.postgres import snapshot_place, snapshots
from tests.integration.stored_shop import KEY, count, scratch

pytestmark = pytest.mark.full

__all__ = ["scratch"]
# stores a snapshot; stops before `sys.argv[1]` of snapshot_place until its standard input ends
STORER = """
import sys
from greenroom.postgres import snapshot_place
from greenroom.postgres.embedded import embedded
from tests.integration.stored_shop import KEY, filled, kept
stop = sys.argv[1]
real = getattr(snapshot_place, stop)
def halted(*given):
    if stop == "clone":
        real(*given)
    print("here", flush=True)
    sys.stdin.read()
    return real(*given)
with embedded() as server:
    filled(server)
    setattr(snapshot_place, stop, halted)
    print(kept(server).snapshot is not None, flush=True)
"""


def storing(stop: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", STORER, stop]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "here\n"
    return child


@pytest.mark.parametrize("stop", ["clone", "name_it"])
def test_what_a_killed_store_left_is_never_used_and_goes(stop: str, scratch: Path) -> None:
    child = storing(stop)
    place = snapshot_place.directory()
    (made,) = place.iterdir()
    assert (made / "data" / "PG_VERSION").exists()
    assert snapshots.listed() == [] and made.exists()  # its maker lives

    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)

    assert snapshots.find(KEY) is None
    assert list(place.iterdir()) == []


@pytest.mark.full
def test_store_that_is_interrupted_leaves_nothing_but_a_server_that_goes(scratch: Path) -> None:
    child = storing("clone")
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)

    assert list(snapshot_place.directory().iterdir()) == []
    assert [path.name for path in (scratch / f"greenroom-{os.getuid()}").iterdir()] == ["snapshots"]


@pytest.mark.full
def test_two_stores_of_one_key_at_once_both_work(scratch: Path) -> None:
    both = [storing("clone"), storing("clone")]

    said = [child.communicate(timeout=60)[0] for child in both]

    assert said == ["True\n", "True\n"]
    (found,) = snapshots.listed()
    assert found.state == "whole"
    with snapshots.cloned(found) as clone:
        assert count(clone) == 1000
