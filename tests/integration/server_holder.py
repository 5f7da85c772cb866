"""A process that holds an embedded server, and what is seen of it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

# holds a server until its standard input ends; prints the server's pid and directory
HOLDER = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.postgres.embedded import embedded
raise_when_terminated()
with embedded() as server:
    print(server.process.pid, server.data.parent, flush=True)
    sys.stdin.read()
"""


def hold(home: Path) -> tuple[subprocess.Popen[str], int, Path]:
    environment = {**os.environ, "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert child.stdout
    pid, directory = child.stdout.readline().split()
    return child, int(pid), Path(directory)


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of its own for a test's servers."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path
