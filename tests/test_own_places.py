"""A run of the tests has places of its own, and tells where one was forgotten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from greenroom import places
from tests.own_places import PARENT, strayed, strays, surroundings


def test_nothing_of_a_run_goes_to_the_user_s_places(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    own = PARENT / f"greenroom-tests-{os.getuid()}"
    for place in (places.scratch(), places.state(), Path(surroundings(tmp_path)["TMPDIR"])):
        assert place.is_relative_to(own)
    assert strayed(pytestconfig) == []


def test_snapshot_of_a_run_s_dump_is_told(tmp_path: Path) -> None:
    made, snapshots = tmp_path / "made", tmp_path / "snapshots"
    for name, told in (
        ("ours-1", json.dumps({"dump": str(made / "test_one" / "shop.dump")})),
        ("theirs-2", json.dumps({"dump": "/srv/nightly.dump"})),
        ("target-3", json.dumps({"dump": None})),
        ("damaged-4", "{"),
    ):
        (snapshots / name).mkdir(parents=True)
        (snapshots / name / "snapshot.json").write_text(told)
    assert strays(made, snapshots) == [str(made / "test_one" / "shop.dump")]
    assert strays(made, tmp_path / "nowhere") == []
