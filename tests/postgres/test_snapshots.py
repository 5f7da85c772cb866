"""What a snapshot is a copy of, and which is found; no server runs here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenroom.postgres import binaries, snapshots
from greenroom.postgres.binaries import Binaries
from tests.postgres.snapshot_files import KEY, one, place, target

__all__ = ["place"]


def test_key_of_a_dump_is_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    dump = tmp_path / "nightly.dump"
    dump.write_bytes(b"one")
    first, again = snapshots.of_dump(dump), snapshots.of_dump(dump)
    os.utime(dump, ns=(0, dump.stat().st_mtime_ns + 1))

    assert first == again
    assert (first.source, first.label) == ("dump nightly.dump", "nightly.dump")
    assert snapshots.of_dump(dump).digest != first.digest


def test_key_of_a_directory_dump_is_of_all_its_files(tmp_path: Path) -> None:
    dump = tmp_path / "nightly"
    dump.mkdir()
    (dump / "toc.dat").write_bytes(b"toc")
    (dump / "1.dat").write_bytes(b"rows")
    first = snapshots.of_dump(dump)

    (dump / "1.dat").unlink()

    assert snapshots.of_dump(dump).digest != first.digest


def test_key_of_a_target_is_of_what_shapes_the_copy() -> None:
    plain = snapshots.of_target("staging", target(exclude_data=["a", "b"], masks={"t.c": "null", "t.d": "null"}))
    shuffled = target(exclude_data=["b", "a"], masks={"t.d": "null", "t.c": "null"}, password_variable="P")

    assert snapshots.of_target("staging", shuffled) == plain
    assert (plain.source, plain.label) == ("target staging", "staging")


@pytest.mark.parametrize(
    "other",
    [
        {"via": "bastion"},
        {"host": "h"},
        {"port": 5433},
        {"name": "n"},
        {"exclude_data": ["a"]},
        {"masks": {"t.c": "null"}},
        {"sensitive": True},
    ],
)
def test_key_of_a_target_that_is_copied_otherwise_is_another(other: dict[str, object]) -> None:
    assert snapshots.of_target("staging", target(**other)) != snapshots.of_target("staging", target())


def test_found_is_the_newest_with_what_is_known_of_it(place: Path) -> None:
    one(place, "nightly-1", age_hours=3)
    one(place, "nightly-2", age_hours=1)
    one(place, "other-3", digest="d2")

    found = snapshots.find(KEY, 24)

    assert found and found.contents
    assert (found.name, found.state, found.binaries) == ("nightly-2", "whole", binaries.newest())
    assert (found.contents.database, found.contents.owner, found.contents.notes) == ("shop", "app", ("a note",))
    assert (found.contents.facts.major, found.contents.settings) == (17, {"work_mem": "8MB"})
    assert found.contents.masks == ("person.email",)


def test_found_is_none_that_is_too_old(place: Path) -> None:
    one(place, age_hours=25)

    assert snapshots.find(KEY) is not None
    assert snapshots.find(KEY, 24) is None
    assert snapshots.listed() == [], "what is too old for anybody is removed"


def test_found_is_none_that_other_programs_wrote(place: Path, tmp_path: Path) -> None:
    one(place)
    (tmp_path / "postgres").touch()

    assert snapshots.find(KEY, binaries=binaries.newest()) is not None
    assert snapshots.find(KEY, binaries=Binaries(tmp_path, 18)) is None


@pytest.mark.parametrize("other", [{"format": 0}, {"layout": 0}, {"build": "18-0-0"}])
def test_snapshot_of_another_version_is_listed_and_not_found(place: Path, other: dict[str, object]) -> None:
    one(place, **other)

    assert snapshots.find(KEY) is None
    assert [found.state for found in snapshots.listed()] == ["of another version"]


def test_snapshot_that_lost_a_file_is_damaged(place: Path) -> None:
    """As a program that cleans temporary directories takes it."""
    (one(place) / "data" / "PG_VERSION").unlink()

    assert snapshots.find(KEY) is None
    assert [found.state for found in snapshots.listed()] == ["damaged"]


def test_snapshot_with_a_file_of_another_length_is_damaged(place: Path) -> None:
    (one(place) / "data" / "PG_VERSION").write_text("18")

    assert [found.state for found in snapshots.listed()] == ["damaged"]


def test_place_is_private_to_its_owner(place: Path) -> None:
    assert place.stat().st_mode & 0o777 == 0o700
