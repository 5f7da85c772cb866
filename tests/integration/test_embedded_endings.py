"""Nothing of an embedded server stays: on every way out, and beside others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from tests.integration.server_holder import HOLDER, gone, hold, home, until

__all__ = ["home"]


def test_nothing_stays_after_the_block(home: Path) -> None:
    with embedded() as server:
        pid, place = server.process.pid, server.data.parent.parent
        assert list(place.iterdir())
    assert gone(pid)
    assert list(place.iterdir()) == []


def test_nothing_stays_after_an_exception(home: Path) -> None:
    def fails() -> None:
        with embedded() as server:
            seen.append(server)
            raise ZeroDivisionError

    seen: list[Server] = []
    with pytest.raises(ZeroDivisionError):
        fails()
    assert gone(seen[0].process.pid)
    assert list(seen[0].data.parent.parent.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_stays_after_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    child, pid, directory = hold(tmp_path)
    child.send_signal(number)
    child.communicate(timeout=20)
    assert gone(pid)
    assert list(directory.parent.iterdir()) == []


def test_killed_owner_takes_the_server_along_and_the_next_removes_the_files(home: Path) -> None:
    child, pid, directory = hold(home)
    child.kill()
    child.communicate(timeout=20)
    assert until(lambda: gone(pid))
    assert directory.exists()
    with embedded() as server:
        assert not directory.exists()
        assert server.data.parent.exists()


def test_the_living_are_not_removed(home: Path) -> None:
    child, pid, directory = hold(home)
    with embedded():
        assert directory.exists() and not gone(pid)
    child.communicate(timeout=20)
    assert gone(pid) and child.returncode == 0


def test_concurrent_first_starts_share_one_template(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "empty")},
        )
        for _ in range(2)
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    assert len(list((tmp_path / "empty" / "greenroom").iterdir())) == 1


def test_long_paths_put_the_socket_elsewhere_and_remove_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (deep := tmp_path / ("d" * 100)).mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    with embedded(tcp=False) as server:
        sockets = (server.data.parent / "socket").readlink()
        assert (sockets.stat().st_mode & 0o777) == 0o700
        with connect(replace(server.address, host=str(sockets), password=None)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not sockets.exists()


def test_no_room_is_a_sentence(home: Path) -> None:
    with pytest.raises(GreenroomError) as caught, embedded(settings={"shared_buffers": "900TB"}):
        raise AssertionError("it cannot start")
    assert str(caught.value).startswith("the embedded PostgreSQL server did not start: ")
    assert [path.name for path in home.glob("greenroom-*/*")] == []
