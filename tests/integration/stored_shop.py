"""A server with a shop on it, the snapshot that is stored of it, and what a clone shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres import snapshots
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect, facts
from greenroom.postgres.snapshots import Contents, Key, Stored

KEY = Key("dump nightly.dump", "nightly.dump", "d1")
LIMIT_GB = 20.0
MEGABYTE = 1_000_000


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
