"""The lease as a comment, and the names of copies."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from greenroom.postgres.lease import Lease, copy_name


def lease() -> Lease:
    return Lease.new(branch="fix", source="dump x", hours=2)


def test_lease_survives_its_comment() -> None:
    made = lease().with_roles(["a", 'b"'])
    assert Lease.read(made.comment()) == made
    assert json.loads(made.comment())["greenroom"] == 1


@pytest.mark.parametrize("comment", [None, "", "the shop", "{}", '{"greenroom": 2}', '{"greenroom": 1}', "[1]", "7"])
def test_read_gives_nothing_for_other_comments(comment: str | None) -> None:
    assert Lease.read(comment) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"until": "tomorrow"},
        {"until": "2099-01-01T00:00:00"},
        {"made": 7},
        {"pid": "x"},
        {"roles": "postgres"},
        {"roles": [7]},
        {"id": None},
        {"oid": []},
    ],
)
def test_read_gives_nothing_for_what_looks_like_a_lease(odd: dict[str, object]) -> None:
    """Any owner of a database may write it, and db-list has to live with it."""
    assert Lease.read(json.dumps({**json.loads(lease().comment()), **odd})) is None


def test_lease_of_a_living_process_holds() -> None:
    assert not lease().expired and not lease().abandoned


def test_lease_expires() -> None:
    assert Lease.new(branch="fix", source="x", hours=-0.1).expired


def test_living_process_holds_its_lease_for_as_long_as_it_likes() -> None:
    late = Lease.new(branch="fix", source="x", hours=-1)
    assert (late.over, late.state) == (False, "alive")
    assert (replace(late, kept=True).over, replace(late, kept=True).state) == (True, "expired")
    elsewhere = replace(late, machine="another boot/4026531836")
    assert (elsewhere.over, elsewhere.state) == (True, "expired")


def test_later_process_of_the_same_number_holds_nothing() -> None:
    reused = replace(lease(), began=lease().began - 1)
    assert (reused.over, reused.state) == (True, "creator died")


@pytest.mark.parametrize("machine", ["", "another boot/4026531836"])
def test_time_alone_decides_where_the_process_cannot_be_seen(machine: str) -> None:
    """Machines that were cloned from one image are all called the same, and a lease of before tells no more."""
    unseen = replace(lease(), pid=4_194_000, machine=machine)
    assert unseen.by == lease().by
    assert (unseen.over, unseen.state) == (False, "alive")
    late = replace(unseen, until=unseen.made, made="2020-01-01T00:00:00+00:00")
    assert (replace(late, until="2020-01-02T00:00:00+00:00").over, late.abandoned) == (True, False)


def test_lease_of_before_is_read() -> None:
    told = json.loads(lease().comment())
    for later in ("engine", "database", "oid", "system", "machine", "began"):
        del told[later]
    found = Lease.read(json.dumps(told))
    assert found and (found.machine, found.database, found.engine, found.state) == ("", "", False, "alive")


def test_lease_of_a_later_version_is_read() -> None:
    assert Lease.read(json.dumps({**json.loads(lease().comment()), "colour": "red"}))


def test_renewed_lease_lasts_as_long_again() -> None:
    early = (datetime.now(UTC) - timedelta(hours=1.5)).replace(microsecond=0)
    made = replace(lease(), made=early.isoformat(), until=(early + timedelta(hours=2)).isoformat())
    left = datetime.fromisoformat(made.renewed().until) - datetime.now(UTC)
    assert timedelta(hours=2) - left < timedelta(seconds=5)
    assert replace(made.renewed(), until=made.until) == made


def test_lease_of_a_dead_process_is_abandoned_unless_kept() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    dead = replace(lease(), pid=child)
    assert dead.abandoned
    assert not replace(dead, kept=True).abandoned
    assert not replace(dead, machine="another boot/4026531836").abandoned


@pytest.mark.parametrize("database", ["shop", "d" * 63, "ü" * 31, "データベース" * 3])
@pytest.mark.parametrize("slug", ["fix", "a_rather_long_branch_name_of_30", "x" * 200])
def test_copy_name_fits_and_tells_database_and_branch(database: str, slug: str) -> None:
    name = copy_name(database, slug)
    assert len(name.encode()) <= 63
    head, _, tail = name.rpartition("__")
    assert database.startswith(head) and head
    assert re.fullmatch(r"\w+_[0-9a-f]{6}", tail) and tail.startswith(slug[:20])


def test_copy_name_differs_each_time() -> None:
    assert copy_name("shop", "fix") != copy_name("shop", "fix")
