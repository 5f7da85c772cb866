"""Memory at its highest: the watching process, and the app's with and without the agent."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import at_most
from tests.bench.scene import PROJECT, Scene, scene, url

ROOT = Path(__file__).parents[2]


def run() -> bool:
    """Print both; true when both are reached."""
    with scene() as here:
        watching, agent = _watched(here)
        app = _app(here)
    return all(
        [
            at_most("the watching process", [watching], 150, "MB"),
            at_most("what the agent adds to the app's process", [agent - app], 20, "MB"),
        ]
    )


def _watched(here: Scene) -> tuple[float, float]:
    """Peak resident MB of `migrate-rehearse`, and of the agent below it."""
    with tempfile.TemporaryDirectory() as reports:
        bare = url(here.source.as_role(here.source.user, None))  # the password goes by the environment
        command = [sys.executable, "-m", "greenroom", "migrate-rehearse", "--url", bare]
        command += ["--project", str(PROJECT), "--settings", "bench_settings", "--report-dir", reports]
        environment = {"PATH": "/usr/bin:/bin", "HOME": reports, **here.source.environment}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        peaks = _follow(process)
    return peaks["greenroom"], peaks["rehearsal/agent"]


def _app(here: Scene) -> float:
    with here.copy("memory_plain") as address:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("plain.py")],
            cwd=PROJECT,
            env={**address.environment, "DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.DEVNULL,
        )
        return _follow(process)["plain.py"]


def _follow(process: subprocess.Popen[bytes]) -> dict[str, float]:
    """The highest VmHWM in MB of the process and its children, by the word of the command line that tells them."""
    peaks: dict[str, float] = {}
    while process.poll() is None:
        for pid in [process.pid, *_children(process.pid)]:
            for word in ("rehearsal/agent", "plain.py", "greenroom"):
                if word in _read(f"/proc/{pid}/cmdline"):
                    peaks[word] = max(peaks.get(word, 0.0), _high_water(pid))
                    break
        time.sleep(0.02)
    return peaks


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _high_water(pid: int) -> float:
    lines = [line for line in _read(f"/proc/{pid}/status").splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
