"""What the four drills cost on the demo, beside the same rehearsal without them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.figures import at_most

ROOT = Path(__file__).parents[2]
RUNS = 3
HELD = {"back", "old-release", "lock-queue"}  # the demo's migrations are atomic: there is nothing to crash
BASE = "HEAD~1"  # with HEAD's pins, or an environment is made for it first
TIMES, MORE = 2.0, 5.0  # of the rehearsal without drills, and seconds


def run() -> bool:
    """Print the seconds of the drills; true when they are few enough."""
    forward, with_drills = [], []
    for _ in range(RUNS):
        seconds, held = _rehearsed("--drills", "none")
        assert held == {}, held
        forward.append(seconds)
        seconds, held = _rehearsed("--base", BASE)
        with_drills.append(seconds)
        print(", ".join(f"{name} {status}" for name, status in held.items()), flush=True)
        if {name for name, status in held.items() if status in ("passed", "failed")} < HELD:
            print("one of them was not held, so this measures nothing")
            return False
    print(f"without drills: {median(forward):.3f} s; with all four: {median(with_drills):.3f} s")
    cost = [whole - without for whole, without in zip(with_drills, forward, strict=True)]
    return at_most("the four drills", cost, TIMES * median(forward) + MORE, "s")


def _rehearsed(*words: str) -> tuple[float, dict[str, str]]:
    """Seconds of the whole command, and what became of each drill."""
    with tempfile.TemporaryDirectory() as reports:
        start = time.perf_counter()
        command = [ROOT / "inv", "migrate-rehearse", "--report-dir", reports, *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        seconds = time.perf_counter() - start
        assert done.returncode in (0, 1), done.stderr.decode()
        document = json.loads((Path(reports) / "latest" / "rehearsal.json").read_text())
    return seconds, {drill["name"]: drill["status"] for drill in document["drills"]}
