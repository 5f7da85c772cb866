"""How long `./inv --list` takes, against bare Invoke with an empty tasks.py, in turn."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import compare

ROOT = Path(__file__).parents[2]
RUNS = 21


def run() -> bool:
    """Print the ratio; true when it is reached."""
    with tempfile.TemporaryDirectory() as empty:
        Path(empty, "tasks.py").write_text("from invoke import task\n")
        bare = [str(Path(sys.executable).with_name("inv")), "--list"]
        ours, theirs = [], []
        for _ in range(RUNS):
            theirs.append(_seconds(bare, Path(empty)))
            ours.append(_seconds([str(ROOT / "inv"), "--list"], ROOT))
    return compare("./inv --list", ours, theirs, 1.15)


def _seconds(argv: list[str], directory: Path) -> float:
    start = time.perf_counter()
    subprocess.run(argv, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start
