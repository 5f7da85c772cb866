"""Private directories on a real host: closed to others, and gone afterwards in all cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh import directory, traces
from greenroom.ssh.connection import connected
from tests.integration.bastion import Bastion, bastion

# makes a private directory with a file in it, says where, and waits
HOLDER = """
import sys, time
from greenroom.ssh import directory
from greenroom.ssh.connection import connected
directory.GRACE_SECONDS = int(sys.argv[2])
with connected(sys.argv[1]) as host, host.private_directory() as path:
    host.run(["sh", "-c", 'echo secret >"$1/dump"', "x", path])
    print(path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield made


def killed_holder(vpn: Bastion, grace_seconds: int) -> Path:
    """A process of ours that holds a directory is killed; the directory is still there."""
    words = [sys.executable, "-c", HOLDER, vpn.via, str(grace_seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ}) as ours:
        assert ours.stdout
        path = Path(ours.stdout.readline().decode().strip())
        assert path.parent == vpn.remote_tmp and (path / "dump").exists()
        assert traces.standing() == []  # it lives
        ours.kill()
    assert path.exists()
    return path


def test_directory_is_private_and_gone_after_the_block(vpn: Bastion) -> None:
    with connected(vpn.via) as host, host.private_directory() as path:
        place = Path(path)
        assert place.parent == vpn.remote_tmp and place.name.startswith("greenroom-")
        assert place.stat().st_mode & 0o777 == 0o700
        host.run(["sh", "-c", 'mkdir -p "$1/a/b"; echo x >"$1/a/b/c"', "x", path])
        (written,) = traces.directory().iterdir()
        assert written.stat().st_mode & 0o777 == 0o600
        assert json.loads(written.read_text()) | {"made": ""} == {
            "via": "bastion",
            "config": None,
            "directory": place.name,
            "made": "",
            "pid": os.getpid(),
        }
        assert traces.standing() == []
    vpn.settle(2)
    assert list(traces.directory().iterdir()) == []


def test_directory_is_gone_after_an_error_and_an_interruption(vpn: Bastion) -> None:
    for kind in (ValueError, KeyboardInterrupt):
        with pytest.raises(kind), connected(vpn.via) as host, host.private_directory():
            raise kind
        vpn.settle(2)
    assert list(traces.directory().iterdir()) == []


def test_directory_is_removed_over_a_new_connection_when_the_old_is_cut(vpn: Bastion) -> None:
    with connected(vpn.via) as host, host.private_directory() as path:
        vpn.cut()
        assert Path(path).exists()
    assert not Path(path).exists() and list(traces.directory().iterdir()) == []
    vpn.settle(5)


def test_directory_that_cannot_be_removed_now_is_named_and_stays_noted(
    vpn: Bastion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(directory, "GRACE_SECONDS", 120)
    with connected(vpn.via) as host, host.private_directory() as path:
        vpn.servers[0].stop()
    name, port = Path(path).name, vpn.servers[0].port
    assert capsys.readouterr().err == (
        f"{name} on {host.label} could not be removed (cannot reach 127.0.0.1:{port} within 5 s: is the VPN on? "
        "(connection refused)) It goes there by itself within 2 minutes; to be sure: ./inv db-reap\n"
    )
    vpn.servers[0].start()
    (left,) = traces.standing()
    assert (left.via, left.directory, left.pid) == ("bastion", name, os.getpid()) and Path(path).exists()
    left.remove()
    assert traces.standing() == [] and not Path(path).exists()
    vpn.settle(5)


def test_killed_process_leaves_a_trace_that_removes_directory_and_holder(vpn: Bastion) -> None:
    path = killed_holder(vpn, 120)
    (left,) = traces.standing()
    assert left.directory == path.name and left.made.endswith("+00:00")
    time.sleep(0.3)
    assert path.exists()
    left.remove()
    assert not path.exists() and traces.standing() == []
    vpn.settle(5)


def test_killed_process_leaves_a_directory_that_goes_by_itself(vpn: Bastion) -> None:
    path = killed_holder(vpn, 2)
    vpn.settle(10)
    assert not path.exists()
    (left,) = traces.standing()
    left.remove()  # what is gone already is no error
    assert traces.standing() == []


@pytest.mark.full
def test_sign_of_life_keeps_it(vpn: Bastion) -> None:
    path = killed_holder(vpn, 3)
    with connected(vpn.via) as host:
        for _ in range(5):
            directory.keep_alive(host, f"{path}/dump")
            time.sleep(1)
            assert path.exists()
    vpn.settle(10)


def test_host_without_a_place_is_named(vpn: Bastion) -> None:
    vpn.program("mkdir", "exit 1")
    with pytest.raises(GreenroomError) as caught, connected(vpn.via) as host, host.private_directory():
        pass
    assert str(caught.value) == (
        f"{host.label} makes no private directory: no place for a directory in /var/tmp or /tmp.\n"
        "  Free some space in /var/tmp there, or leave --via-file out."
    )
    assert list(traces.directory().iterdir()) == []


def test_damaged_trace_is_passed_over(vpn: Bastion) -> None:
    traces.directory().mkdir(parents=True)
    (traces.directory() / "greenroom-0.json").write_text("{")
    (traces.directory() / "greenroom-1.json").write_text('{"other": 1}')
    assert traces.standing() == []
