"""Programs that drag old pins along live in an environment of their own, `.venv-tools`: they hold nothing back."""

from __future__ import annotations

import fcntl
import filecmp
import shutil
import sys
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError

PINS = Path("requirements/tools.txt")
PLACE = Path(".venv-tools")


def tool(root: Path, name: str) -> Path:
    """The program `name` of the environment that `requirements/tools.txt` pins; made anew when the pins have changed.

    Raises GreenroomError when it cannot be installed.
    """
    with (root / f"{PLACE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two tasks at once make it once
        if not _in_place(root):
            _make(root)
    return root / PLACE / "bin" / name


def _in_place(root: Path) -> bool:
    """The copy of the pins is written last: where it is, and the same, the environment is whole."""
    copy = root / PLACE / PINS.name
    return copy.exists() and filecmp.cmp(copy, root / PINS, shallow=False)


def _make(root: Path) -> None:
    place = root / PLACE
    print(f"making {PLACE} from {PINS}; once, until the pins change", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    for words in _commands(place, root / PINS):
        done = shell.run(words, check=False)
        if done.code != 0:
            raise GreenroomError(
                f"the packages of {PINS} could not be installed: {shell.last_line(done.stderr)}",
                "Can the package index be reached? Then run the same task again.",
            )
    shutil.copy(root / PINS, place / PINS.name)


def _commands(place: Path, pins: Path) -> list[list[str | Path]]:
    python = place / "bin" / "python"
    pinned: list[str | Path] = ["--require-hashes", "-r", pins]
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--quiet", "--no-config", "--python", sys.executable, place],
            [uv, "pip", "install", "--quiet", "--python", python, *pinned],
        ]
    return [
        [sys.executable, "-m", "venv", place],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *pinned],
    ]
