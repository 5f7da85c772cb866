"""Snapshots keep within their room: the oldest go, and one that would not fit is not kept."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from greenroom.postgres import snapshot_place, snapshots
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.snapshots import Key, Stored
from tests.integration.stored_shop import MEGABYTE, count, filled, kept, scratch, server

pytestmark = pytest.mark.full

__all__ = ["scratch", "server"]


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


def test_eviction_leaves_what_is_being_cloned(server: Server) -> None:
    first = kept(server, Key("dump first.dump", "first.dump", "first")).snapshot
    assert first

    with snapshot_place.reading(first.path) as there:
        stored = kept(server, limit_gb=first.size_bytes * 1.9 / 1e9)

    assert there and stored.told == []
    assert snapshots.listed() == [first, stored.snapshot]
