"""Where files lie that are not the checkout's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from greenroom import places
from greenroom.errors import GreenroomError


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


@pytest.mark.parametrize("what", ["nothing", "a file", "read-only"])
def test_scratch_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    place = Path("/proc") if what == "read-only" else tmp_path / "place"
    if what == "a file":
        place.write_text("")
    monkeypatch.setenv("TMPDIR", str(place))
    with pytest.raises(GreenroomError) as caught:
        places.scratch()
    assert caught.value.sentence.startswith(f"{place / f'greenroom-{os.getuid()}'} cannot be made: ")
    assert caught.value.hint == "Set TMPDIR to a directory that you may write."


def test_scratch_that_is_somebody_elses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"greenroom-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(GreenroomError) as caught:
        places.scratch()
    assert caught.value.sentence.endswith(" is no directory of yours, and a copy of the data would lie in it.")


def test_state_that_cannot_be_written_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc")
    with pytest.raises(GreenroomError) as caught:
        places.state()
    assert caught.value.sentence.startswith("/proc/greenroom cannot be made: ")
    assert caught.value.hint == "Set HOME to a directory that you may write."
