"""Programs that drag old pins along live in environments of their own, `.venv-NAME`: they hold nothing back."""

from __future__ import annotations

import fcntl
import filecmp
import shutil
import sys
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError


def tool(root: Path, name: str, kind: str = "tools") -> Path:
    """The program `name` of the environment that `requirements/KIND.txt` pins; made anew when the pins have changed.

    Raises GreenroomError when it cannot be installed.
    """
    pins, place = Path(f"requirements/{kind}.txt"), root / f".venv-{kind}"
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two tasks at once make it once
        if not _in_place(place, root / pins):
            _make(root, place, pins)
    return place / "bin" / name


def _in_place(place: Path, pins: Path) -> bool:
    """The copy of the pins is written last: where it is, and the same, the environment is whole."""
    copy = place / pins.name
    return copy.exists() and filecmp.cmp(copy, pins, shallow=False)


def _make(root: Path, place: Path, pins: Path) -> None:
    print(f"making {place.name} from {pins}; once, until the pins change", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    for words in _commands(place, root / pins):
        done = shell.run(words, check=False)
        if done.code != 0:
            raise GreenroomError(
                f"the packages of {pins} could not be installed: {shell.last_line(done.stderr)}",
                "Can the package index be reached? Then run the same task again.",
            )
    shutil.copy(root / pins, place / pins.name)


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
