"""Snapshots of real servers: pristine, independent of their clones, and sharing blocks where files can."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres import snapshots
from greenroom.postgres.binaries import Binaries, of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect, facts
from greenroom.postgres.snapshots import Contents, Key, Snapshot
from tests.integration.reflink import NotHere, reflinking, used_bytes
from tests.integration.stored_shop import KEY, MEGABYTE, count, emptied, filled, kept, scratch, server

pytestmark = pytest.mark.full

__all__ = ["scratch", "server"]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk on which files share their blocks."""
    try:
        with reflinking() as place:
            monkeypatch.setenv("TMPDIR", str(place))
            yield place
    except NotHere as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a file system with reflink: {error}")


def digest(snapshot: Snapshot) -> str:
    """Of every file, with its name."""
    found = hashlib.sha256()
    for file in sorted(path for path in snapshot.path.rglob("*") if path.is_file()):
        found.update(str(file.relative_to(snapshot.path)).encode() + file.read_bytes())
    return found.hexdigest()


def test_store_keeps_what_a_clone_shows_again(server: Server) -> None:
    address = server.address
    with connect(address.at("shop")) as connection:
        here = facts(connection)

    stored = kept(server)

    assert stored.told == [] and stored.snapshot and stored.snapshot.name.startswith("nightly.dump-")
    assert (server.address, count(server)) == (address, 1000)
    found = snapshots.find(KEY, 24)
    assert found == stored.snapshot
    assert found.contents == Contents("shop", "app", here, {"work_mem": "8MB"}, ("a note",), ("person.email",))
    with snapshots.cloned(found) as clone:
        assert count(clone) == 1000


@pytest.mark.full
def test_store_and_clone_of_the_systems_version(scratch: Path) -> None:
    with embedded(binaries=of_major(15)) as server:
        filled(server)
        found = kept(server).snapshot

    assert found and found.version.startswith("15.")
    with snapshots.cloned(found) as clone:
        assert (clone.version_num // 10000, count(clone)) == (15, 1000)
        clone.durable({"work_mem": "9MB"})
        assert count(clone) == 1000


def test_clones_are_independent_of_the_snapshot_and_of_each_other(server: Server) -> None:
    found = kept(server).snapshot
    assert found
    before = digest(found)

    with snapshots.cloned(found) as first, snapshots.cloned(found) as second:
        emptied(first)
        first.durable()
        assert (count(first), count(second)) == (0, 1000)

    assert digest(found) == before
    assert snapshots.find(KEY) == found


@pytest.mark.full
def test_snapshot_can_be_removed_while_its_clone_runs(server: Server) -> None:
    found = kept(server).snapshot
    assert found

    with snapshots.cloned(found) as clone:
        snapshots.remove(found)
        assert count(clone) == 1000

    assert snapshots.listed() == []


def test_snapshot_is_readable_by_its_owner_alone(server: Server) -> None:
    found = kept(server).snapshot

    assert found
    modes = [path.stat().st_mode & 0o777 for path in (found.path.parent, found.path, found.path / "snapshot.json")]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.full
def test_another_snapshot_of_the_same_key_replaces_the_first(server: Server) -> None:
    first = kept(server).snapshot
    other = kept(server, Key("target staging", "staging", "d2")).snapshot
    emptied(server)

    second = kept(server).snapshot

    assert first and second and other
    assert snapshots.listed() == [other, second]
    with snapshots.cloned(second) as clone:
        assert count(clone) == 0


def test_clones_on_a_disk_with_reflink_share_their_blocks(shared: Path) -> None:
    with embedded() as server:
        filled(server, rows=300_000)
        before = used_bytes(shared)
        found = kept(server).snapshot
        assert found and found.size_bytes > 150 * MEGABYTE
        assert used_bytes(shared) - before < 20 * MEGABYTE

        with snapshots.cloned(found) as clone:
            assert count(clone) == 300_000
            assert used_bytes(shared) - before < 60 * MEGABYTE  # a fresh WAL file, and pages that a start writes


@pytest.fixture
def other_build(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PostgreSQL was upgraded since: none of the programs here wrote the snapshot."""

    def built(binaries: Binaries) -> str:
        return f"{binaries.major}-other"

    with monkeypatch.context() as patched:
        patched.setattr("greenroom.postgres.snapshot_description.build_of", built)
        yield


def test_snapshot_of_programs_that_are_gone_is_not_used(server: Server, request: pytest.FixtureRequest) -> None:
    kept(server)

    request.getfixturevalue("other_build")

    assert snapshots.find(KEY) is None
    assert [found.state for found in snapshots.listed()] == ["of another version"]
