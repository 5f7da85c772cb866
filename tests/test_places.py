"""Where files lie that are not the checkout's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from greenroom import places


def kind_of(place: Path) -> str:
    done = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_scratch_tells_ext4_that_its_servers_are_unrelated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind_of(tmp_path) != "ext2/ext3" or not shutil.which("lsattr"):
        pytest.skip("this needs ext4 and lsattr")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for _ in range(2):
        place = places.scratch()
        listed = subprocess.run(["lsattr", "-d", place], capture_output=True, text=True, check=True).stdout
        assert "T" in listed.split()[0]


def test_scratch_is_passed_through_and_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert places.scratch().stat().st_mode & 0o777 == 0o711
