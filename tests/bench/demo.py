"""The README's first command from start to end, after the set-up."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from tests.bench.figures import at_most

ROOT = Path(__file__).parents[2]
RUNS = 3


def run() -> bool:
    """Print the seconds; true when they are few enough."""
    seconds = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as reports:
            start = time.perf_counter()
            command = [ROOT / "inv", "migrate-rehearse", "--report-dir", reports]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            seconds.append(time.perf_counter() - start)
            assert done.returncode in (0, 1), done.stderr.decode()
    return at_most("./inv migrate-rehearse", seconds, 30, "s")
