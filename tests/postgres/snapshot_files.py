"""Snapshots as they lie on the disk, but for the data."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from greenroom.config import PostgresTarget
from greenroom.postgres import binaries, cluster, snapshot_description, snapshot_place
from greenroom.postgres.snapshots import Key

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
