"""What a snapshot is a copy of, which is found, and which has to go; no server runs here."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from greenroom.config import PostgresTarget
from greenroom.errors import GreenroomError
from greenroom.postgres import binaries, cluster, snapshot_description, snapshot_place, snapshots
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.snapshot_description import State
from greenroom.postgres.snapshots import Gone, Key, Snapshot

NOW = datetime.now(UTC)
KEY = Key("dump nightly.dump", "nightly.dump", "d1")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Snapshots of the test's own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return snapshot_place.directory()


def target(**how: object) -> PostgresTarget:
    given = {"name": "shop", "user": "app", "host": "db.example.com", **how}
    return PostgresTarget(**given)  # type: ignore[arg-type]


def one(place: Path, name: str = "nightly-1", /, *, age_hours: float = 0, digest: str = "d1", **other: object) -> Path:
    """Whole, but for the data: nobody starts a server on it."""
    path = place / name
    (path / "data").mkdir(parents=True)
    (path / "data" / "PG_VERSION").write_text("18\n")
    found = snapshot_place.measured(path / "data")
    told = {
        "format": snapshot_description.FORMAT,
        "layout": cluster.LAYOUT,
        "source": "dump nightly.dump",
        "digest": digest,
        "made": (NOW - timedelta(hours=age_hours)).isoformat(),
        "until": None,
        "place": "",
        "dump": None,
        "version": "18.6",
        "build": snapshot_description.build_of(binaries.newest()),
        "files": found.files,
        "length": found.length,
        "size_bytes": found.taken,
        "contents": {
            "database": "shop",
            "owner": "app",
            "facts": {"version": "17.2", "version_num": 170002, "timezone": "UTC"},
            "settings": {"work_mem": "8MB"},
            "notes": ["a note"],
            "masks": ["person.email"],
        },
        **other,
    }
    (path / "snapshot.json").write_text(json.dumps(told))
    return path


def standing(name: str, size: int, age: int, state: State = "whole") -> Snapshot:
    made = (NOW - timedelta(hours=age)).isoformat()
    return Snapshot(Path(name), "dump x", "d", made, size, "18.6", "b", state)


def names(found: list[Snapshot] | None) -> list[str] | None:
    return None if found is None else [one.name for one in found]


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
    shuffled = target(
        exclude_data=["b", "a"], masks={"t.d": "null", "t.c": "null"}, via="me@vpn", password_variable="P"
    )

    assert snapshots.of_target("staging", shuffled) == plain
    assert (plain.source, plain.label) == ("target staging", "staging")


@pytest.mark.parametrize(
    "other",
    [
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


def hence(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat()


def test_snapshot_goes_when_its_time_has_passed(place: Path) -> None:
    """Whoever looks: no target has to be rehearsed again for that."""
    one(place, "gone-1", until=hence(-0.01), digest="d2")
    one(place, "young-2", until=hence(1))
    one(place, "dump-3", age_hours=1000)

    assert {found.name for found in snapshots.listed()} == {"young-2", "dump-3"}
    assert not (place / "gone-1").exists()


def test_snapshot_that_is_being_cloned_goes_the_next_time(place: Path) -> None:
    path = one(place, until=hence(-1))
    with snapshot_place.reading(path) as there:
        assert there and len(snapshots.listed()) == 1
    assert snapshots.listed() == []


@pytest.mark.parametrize("anew", [False, True])
def test_snapshot_of_a_dump_goes_when_that_is_removed_or_written_anew(place: Path, tmp_path: Path, anew: bool) -> None:
    """Else a dump that is made every night leaves one a night, and who removes a dump has its data still."""
    dump, linked = tmp_path / "nightly.dump", tmp_path / "latest.dump"
    dump.write_bytes(b"one")
    linked.symlink_to(dump)
    key = snapshots.of_dump(linked)
    one(place, age_hours=1000, digest=snapshots.of_dump(dump).digest, dump=key.dump)
    assert snapshots.find(key), "it goes at no age, and a link leads to the dump itself"

    dump.unlink()
    if anew:
        dump.write_bytes(b"other")

    assert snapshots.listed() == [] and list(place.iterdir()) == []


def test_snapshot_that_nothing_is_known_of_goes_by_the_age_that_holds_where_nothing_is_said(place: Path) -> None:
    path = one(place, format=1)
    assert len(snapshots.listed()) == 1
    os.utime(path, (0, (NOW - timedelta(hours=25)).timestamp()))

    assert snapshots.listed() == []


def test_forgotten_are_those_of_one_database_made_by_other_rules(place: Path) -> None:
    mine = snapshots.of_target("staging", target(sensitive=True))
    for name, digest, where in (
        ("now-1", mine.digest, mine.place),
        ("once-2", "d2", mine.place),
        ("else-3", "d3", "p"),
    ):
        one(place, name, digest=digest, place=where)

    assert snapshots.place_of(target(masks={"t.c": "null"}, sensitive=False)) == mine.place
    snapshots.forget(mine.place, but=mine)
    assert {found.name for found in snapshots.listed()} == {"now-1", "else-3"}
    snapshots.forget(mine.place)
    assert [found.name for found in snapshots.listed()] == ["else-3"]


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


@pytest.mark.parametrize("told", ["", "{", "[]", '{"format": 2}'])
def test_snapshot_that_nothing_is_known_of_can_be_removed(place: Path, told: str) -> None:
    path = one(place)
    (path / "snapshot.json").write_text(told)

    (found,) = snapshots.listed()
    assert found.state == "damaged"
    snapshots.remove(found)

    assert snapshots.listed() == [] and list(place.iterdir()) == []


def test_snapshot_that_is_being_cloned_is_not_removed(place: Path) -> None:
    path = one(place)
    (found,) = snapshots.listed()

    with snapshot_place.reading(path), pytest.raises(GreenroomError) as refused:
        snapshots.remove(found)

    assert refused.value.sentence == "nightly-1 is being cloned at this moment."
    assert snapshots.find(KEY) == found
    snapshots.remove(found)
    assert not path.exists()


def test_snapshot_that_went_in_between_is_not_cloned(place: Path) -> None:
    one(place)
    (found,) = snapshots.listed()
    snapshots.remove(found)

    with pytest.raises(Gone) as refused, snapshots.cloned(found):
        raise AssertionError

    assert refused.value.sentence == "the snapshot nightly-1 has been removed in this moment."


def test_nothing_goes_where_there_is_room() -> None:
    assert snapshots.evictions([standing("a", 5, 1)], size=5, cost=5, limit=10, spare=5) == []


def test_oldest_go_first_for_the_limit() -> None:
    there = [standing("young", 4, 1), standing("oldest", 4, 9), standing("old", 4, 5)]

    assert names(snapshots.evictions(there, size=4, cost=0, limit=9, spare=0)) == ["oldest", "old"]


def test_useless_go_before_the_oldest() -> None:
    there = [standing("oldest", 4, 9), standing("broken", 4, 1, "damaged")]

    assert names(snapshots.evictions(there, size=4, cost=0, limit=9, spare=0)) == ["broken"]


def test_oldest_go_for_room_on_the_disk() -> None:
    there = [standing("young", 4, 1), standing("oldest", 4, 9)]

    assert names(snapshots.evictions(there, size=6, cost=6, limit=100, spare=3)) == ["oldest"]


def test_none_goes_for_what_would_never_fit() -> None:
    there = [standing("young", 4, 1)]

    assert snapshots.evictions(there, size=11, cost=0, limit=10, spare=0) is None
    assert snapshots.evictions(there, size=8, cost=8, limit=10, spare=3) is None


def test_place_is_private_to_its_owner(place: Path) -> None:
    assert place.stat().st_mode & 0o777 == 0o700


def test_what_is_being_made_by_a_live_process_is_neither_listed_nor_swept(place: Path) -> None:
    with snapshot_place.making() as path:
        (path / "data").mkdir()

        assert snapshots.listed() == []
        assert path.exists()

    assert list(place.iterdir()) == []


def test_what_a_dead_process_left_is_swept(place: Path) -> None:
    for name in (".making-1", ".going-2"):
        (place / name / "data").mkdir(parents=True)

    assert snapshots.listed() == []
    assert list(place.iterdir()) == []
