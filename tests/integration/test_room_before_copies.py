"""Whoever copies asks first whether there is room: before anything is made, and before a row is read."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom import docker
from greenroom.console import Display, Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.copies.cloning import cloned
from greenroom.errors import GreenroomError
from greenroom.postgres import room
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.bastion import bastion, needed
from tests.integration.shop import PLANTED, Shop, shop


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


class Heard(Display):
    """Remembers the phases."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)


def wanted(source: Shop, how: dict[str, object], **more: object) -> CopyRequest:
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", **more}
    config = configuration.parse({"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}, Path.cwd())
    return CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", **how)  # type: ignore[arg-type]


def refused(asked: CopyRequest) -> tuple[str, list[str]]:
    heard = Heard()
    with pytest.raises(GreenroomError) as caught, acquire(asked, heard):
        pass
    return caught.value.sentence, heard.steps


def size_of(source: Shop) -> int:
    with connect(source.address) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row
    return int(row[0])


@contextmanager
def small_disk(place: Path, octets: int) -> Iterator[Path]:
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={octets},mode=711", "tmpfs", str(place)]
    if subprocess.run(words, check=False).returncode != 0:
        if os.environ.get("CI"):
            pytest.fail("a small disk cannot be mounted")
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_pull_asks_for_room_for_the_copy(source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "small", size_of(source) // 2) as place:
        monkeypatch.setenv("TMPDIR", str(place))
        sentence, steps = refused(wanted(source, {}))
    assert re.fullmatch(rf"{place}\S* has \d+ MB free, and the copy needs about \d+ MB there\.", sentence)
    assert steps == [f"reading {source.address.database} on {source.address.server}"]


def test_pull_by_a_vpn_host_asks_for_room_for_the_archive_too(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed()
    with (
        bastion(tmp_path / "bastion") as host,
        small_disk(tmp_path / "small", int(size_of(source) * 1.25)) as place,
    ):
        monkeypatch.setenv("TMPDIR", str(place))
        monkeypatch.setenv("HOME", str(host.home))
        host.client(source.server.binaries)
        sentence, _ = refused(wanted(source, {}, via=host.via))
        assert "and the copy needs about" in sentence


def test_pull_asks_for_room_for_rows_that_are_masked(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(source.address) as connection:
        connection.execute(
            "CREATE TABLE wide (n, note) AS SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 9000) n"
        )
    with small_disk(tmp_path / "small", int(size_of(source) * 1.25)) as place:
        monkeypatch.setenv("TMPDIR", str(place))
        sentence, _ = refused(wanted(source, {}, masks={"wide.note": "text"}))
    assert "and the copy needs about" in sentence


@pytest.mark.xdist_group("containers")
def test_pull_into_a_container_asks_for_room_on_the_disk_of_the_engine(
    source: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        with docker.engine() as engine:
            data = engine.data
    except GreenroomError as error:
        pytest.skip(f"needs a Docker engine: {error.sentence}")
    assert data is not None and (data / "containers").is_dir()
    free = room.free_bytes
    monkeypatch.setattr(room, "free_bytes", lambda directory: 1_000_000 if directory == data else free(directory))
    sentence, steps = refused(wanted(source, {"server": "docker:postgres:18"}))
    assert sentence.startswith(f"{data} has 1 MB free, and the copy needs about ")
    assert len(steps) == 1


def test_branch_asks_for_room_on_its_server(source: Shop) -> None:
    sentence, steps = refused(wanted(source, {"remote": True}, disk_gb=0.001))
    assert sentence.startswith(f"{source.address.server} has 0 MB free (disk_gb = 0.001 less all databases and WAL), ")
    assert steps == [f"reading {source.address.database} on {source.address.server}"]
    with acquire(wanted(source, {"remote": True}), Silent()) as copy:
        assert any("could not be checked: disk_gb" in note for note in copy.notes)


def test_branch_asks_for_room_for_rows_that_are_masked(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a rule names the root of partitions, which has no rows of its own."""
    with connect(source.address) as connection:
        connection.execute("CREATE TABLE wide (n int, note text) PARTITION BY RANGE (n)")
        connection.execute("CREATE TABLE wide_1 PARTITION OF wide FOR VALUES FROM (0) TO (100000)")
        connection.execute("INSERT INTO wide SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 30000) n")
        row = connection.execute("SELECT pg_size_bytes(current_setting('max_wal_size'))").fetchone()
    assert row
    monkeypatch.setattr(room, "free_bytes", lambda _directory: int(size_of(source) * 1.5) + row[0])
    monkeypatch.setattr(room, "_directory_here", lambda _connection: Path("/"))
    with acquire(wanted(source, {"remote": True}), Silent()):
        pass
    sentence, _ = refused(wanted(source, {"remote": True}, masks={"wide.note": "text"}))
    assert "and a branch needs about" in sentence and "what masks write anew" in sentence


def test_pull_asks_for_room_for_partitions_that_are_masked(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(source.address) as connection:
        connection.execute("CREATE TABLE wide (n int, note text) PARTITION BY RANGE (n)")
        connection.execute("CREATE TABLE wide_1 PARTITION OF wide FOR VALUES FROM (0) TO (100000)")
        connection.execute("INSERT INTO wide SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 30000) n")
    monkeypatch.setattr(room, "free_bytes", lambda _directory: int(size_of(source) * 1.5))
    sentence, _ = refused(wanted(source, {}, masks={"wide.note": "text"}))
    assert "and the copy needs about" in sentence


def test_clone_of_a_branch_asks_for_room_on_a_server_elsewhere(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the disk_gb of its target: drills and twins copy the copy."""
    monkeypatch.setattr(room, "_directory_here", lambda _connection: None)
    asked = wanted(source, {"remote": True}, disk_gb=10_000)
    with acquire(asked, Silent()) as copy:
        assert copy.disk_gb == 10_000
        with cloned(copy, asked):
            pass
        with pytest.raises(GreenroomError) as caught, cloned(replace(copy, disk_gb=0.001), asked):
            pass
    assert caught.value.sentence.startswith(f"{source.address.server} has 0 MB free, and a clone of the copy needs ")
