"""Snapshots of real servers: pristine, independent of their clones, whole or not there, and within their room."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres import snapshot_place, snapshots
from greenroom.postgres.binaries import Binaries, of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect, facts
from greenroom.postgres.snapshots import Contents, Key, Snapshot, Stored
from tests.integration.reflink import NotHere, reflinking, used_bytes

pytestmark = pytest.mark.full

KEY = Key("dump nightly.dump", "nightly.dump", "d1")
LIMIT_GB = 20.0
MEGABYTE = 1_000_000

# stores a snapshot; stops before `sys.argv[1]` of snapshot_place until its standard input ends
STORER = """
import sys
from greenroom.postgres import snapshot_place
from greenroom.postgres.embedded import embedded
from tests.integration.test_snapshots import KEY, filled, kept
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


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Servers and snapshots of the test's own; servers may have to run as somebody else."""
    tmp_path.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def server(scratch: Path) -> Iterator[Server]:
    """One that was restored into, in the phase of loading."""
    with embedded() as made:
        filled(made)
        yield made


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


def filled(server: Server, rows: int = 1000) -> None:
    with connect(server.address) as connection:
        connection.execute("CREATE DATABASE shop")
    with connect(server.address.at("shop")) as connection:
        connection.execute("CREATE TABLE goods (id int PRIMARY KEY, name text)")
        connection.execute("INSERT INTO goods SELECT n, repeat(md5(n::text), 8) FROM generate_series(1, %s) n", [rows])


def kept(server: Server, key: Key = KEY, limit_gb: float = LIMIT_GB, max_age_hours: float | None = None) -> Stored:
    with connect(server.address.at("shop")) as connection:
        contents = Contents("shop", "app", facts(connection), {"work_mem": "8MB"}, ("a note",), ("person.email",))
    return snapshots.store(server, key, contents, limit_gb=limit_gb, max_age_hours=max_age_hours)


def count(server: Server) -> int:
    with connect(server.address.at("shop")) as connection:
        row = connection.execute("SELECT count(*) FROM goods").fetchone()
    assert row
    return int(row[0])


def emptied(server: Server) -> None:
    with connect(server.address.at("shop")) as connection:
        connection.execute("DELETE FROM goods")


def digest(snapshot: Snapshot) -> str:
    """Of every file, with its name."""
    found = hashlib.sha256()
    for file in sorted(path for path in snapshot.path.rglob("*") if path.is_file()):
        found.update(str(file.relative_to(snapshot.path)).encode() + file.read_bytes())
    return found.hexdigest()


def storing(stop: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", STORER, stop]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline() == "here\n"
    return child


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


def test_oldest_go_first_when_the_limit_is_reached(server: Server) -> None:
    keys = [Key(f"dump {name}.dump", f"{name}.dump", name) for name in ("first", "second", "third")]
    first, second = (kept(server, key).snapshot for key in keys[:2])
    assert first and second

    stored = kept(server, keys[2], limit_gb=second.size_bytes * 2.5 / 1e9)

    assert stored.told == [f"the snapshot {first.name} (dump first.dump) was removed to make room"]
    assert snapshots.listed() == [second, stored.snapshot]


def test_none_is_kept_that_is_larger_than_the_limit(server: Server) -> None:
    stored = kept(server, limit_gb=0.01)

    assert stored.snapshot is None
    assert stored.told == [
        "no snapshot of dump nightly.dump is kept: its 0.0 GB are more than tool.greenroom.snapshots.limit_gb"
    ]
    assert (snapshots.listed(), count(server)) == ([], 1000)


def test_none_is_kept_where_the_limit_is_nothing(server: Server) -> None:
    assert kept(server, limit_gb=0) == Stored(None, [])


def test_none_is_kept_where_a_tenth_of_the_disk_would_not_stay_free(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = kept(server, Key("target staging", "staging", "d2")).snapshot
    monkeypatch.setattr(snapshot_place, "spare_bytes", lambda: -100_000 * MEGABYTE)

    stored = kept(server)

    assert stored.snapshot is None
    [told] = stored.told
    assert re.match(
        r"no snapshot of dump nightly\.dump is kept: with its 0\.[01] GB less than a tenth of the disk would be free",
        told,
    )
    assert (snapshots.listed(), count(server)) == ([other], 1000)


def test_disk_that_fills_up_meanwhile_costs_the_snapshot_and_not_the_server(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = scratch / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m,mode=711", "tmpfs", place], check=False).returncode:
        if os.environ.get("CI"):
            raise AssertionError("a small disk cannot be mounted")
        pytest.skip("a small disk can be mounted by root only")
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(snapshot_place, "spare_bytes", lambda: 1000 * MEGABYTE)
    try:
        with embedded() as server:
            filled(server, rows=60_000)
            stored = kept(server)

            assert stored.snapshot is None
            assert stored.told[0].startswith("no snapshot of dump nightly.dump is kept: ")
            assert "No space left on device" in stored.told[0]
            assert (snapshots.listed(), count(server)) == ([], 60_000)
    finally:
        subprocess.run(["umount", place], check=True)


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


def test_eviction_leaves_what_is_being_cloned(server: Server) -> None:
    first = kept(server, Key("dump first.dump", "first.dump", "first")).snapshot
    assert first

    with snapshot_place.reading(first.path) as there:
        stored = kept(server, limit_gb=first.size_bytes * 1.9 / 1e9)

    assert there and stored.told == []
    assert snapshots.listed() == [first, stored.snapshot]


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
