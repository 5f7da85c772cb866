"""What is written down of private directories on VPN hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.ssh import traces

NOTER = """
import os, signal
from greenroom.ssh import traces
with traces.noted("me@vpn", None) as trace:
    print(trace.directory, os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "greenroom" / "ssh"


def test_nothing_stands_where_nothing_was_noted() -> None:
    assert traces.standing() == []


def test_trace_stands_when_its_process_is_dead_until_it_is_forgotten(state: Path) -> None:
    said = subprocess.run([sys.executable, "-c", NOTER], capture_output=True, text=True).stdout
    name, pid = said.split()
    (left,) = traces.standing()
    assert (left.via, left.config, left.directory, left.pid) == ("me@vpn", None, name, int(pid))
    assert left.file == state / f"{name}.json" and left.file.stat().st_mode & 0o777 == 0o600
    left.forget()
    assert traces.standing() == [] and list(state.iterdir()) == []


def test_living_process_is_no_trace_and_forgets_when_it_is_done(state: Path) -> None:
    with traces.noted("me@vpn", Path("/etc/other")) as trace:
        assert traces.standing() == []
        assert json.loads(trace.file.read_text())["config"] == "/etc/other"
        assert trace.pid == os.getpid()
        trace.forget()
        assert list(state.iterdir()) == []


def test_unforgotten_one_stays_noted() -> None:
    with traces.noted("me@vpn", None) as trace:
        pass
    assert traces.standing() == [trace]


def test_listing_needs_no_paramiko() -> None:
    script = "import sys; from greenroom.ssh import traces; traces.standing(); print('paramiko' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
