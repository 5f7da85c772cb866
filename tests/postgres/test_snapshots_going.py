"""Which snapshot has to go, and which stays: its time, its dump, the room on the disk; no server runs here."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import snapshot_place, snapshots
from greenroom.postgres.snapshot_description import State
from greenroom.postgres.snapshots import Gone, Snapshot
from tests.postgres.snapshot_files import KEY, NOW, one, place, target

__all__ = ["place"]


def standing(name: str, size: int, age: int, state: State = "whole") -> Snapshot:
    made = (NOW - timedelta(hours=age)).isoformat()
    return Snapshot(Path(name), "dump x", "d", made, size, "18.6", "b", state)


def names(found: list[Snapshot] | None) -> list[str] | None:
    return None if found is None else [one.name for one in found]


def hence(hours: float) -> str:
    """From now, which may be an hour after this file was read."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


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


def test_forgotten_are_none_of_the_same_host_behind_another_vpn(place: Path) -> None:
    """`localhost` there is another database."""
    one(place, place=snapshots.place_of(target(host="localhost", via="bastion")))

    snapshots.forget(snapshots.place_of(target(host="localhost", via="other-vpn")))
    assert len(snapshots.listed()) == 1
    snapshots.forget(snapshots.place_of(target(host="localhost", via="bastion", user="other")))
    assert snapshots.listed() == []


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
