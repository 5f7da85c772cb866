"""Directories of sockets in /tmp: they go with the private directory that they belong to, if others removed that."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres import cluster, sockets
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import embedded
from greenroom.postgres.server import connect


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A directory whose path is too long for a socket."""
    (long := tmp_path / ("d" * 100)).mkdir()
    return long


@pytest.fixture
def elsewhere(private: Path) -> Iterator[Path]:
    made = sockets.socket_directory(private)
    assert made.parent == Path("/tmp") and sockets.socket_directory(private) == made
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_one_whose_private_directory_was_removed_goes_the_next_time(
    private: Path, elsewhere: Path, tmp_path: Path
) -> None:
    shutil.rmtree(private)
    with cluster.private_directory(tmp_path):
        assert not elsewhere.exists()


def test_one_whose_private_directory_is_there_stays(private: Path, elsewhere: Path) -> None:
    """A kept server that is stopped has nothing in it."""
    sockets.remove_abandoned()
    assert elsewhere.exists()


def test_one_of_a_server_that_was_kept_stays(private: Path, elsewhere: Path, tmp_path: Path) -> None:
    kept = tmp_path / ("k" * 100)
    sockets.move(private, kept)
    sockets.remove_abandoned()
    assert sockets.socket_directory(kept) == elsewhere and elsewhere.exists()
    cluster.remove(kept)
    assert not elsewhere.exists()


def test_one_in_which_a_server_answers_stays(private: Path, elsewhere: Path) -> None:
    """Its private directory may be out of sight, in another container."""
    shutil.rmtree(private)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(elsewhere / ".s.PGSQL.1"))
        listening.listen()
        sockets.remove_abandoned()
        assert elsewhere.exists()
    sockets.remove_abandoned()
    assert not elsewhere.exists()


def test_directory_without_a_way_back_stays() -> None:
    """Another program's, or one that is being made."""
    with tempfile.TemporaryDirectory(prefix="greenroom-", dir="/tmp") as other:
        sockets.remove_abandoned()
        assert os.path.isdir(other)


def test_live_server_goes_on_while_abandoned_ones_are_removed(
    private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(private))
    with embedded(binaries=of_major(18), tcp=False) as server:
        found = sockets.elsewhere(server.data.parent)
        with server.stopped():
            sockets.remove_abandoned()
        with connect(server.address) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert found and not found.exists()
