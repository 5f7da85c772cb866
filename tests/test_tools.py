"""The environment of the scanners: made once, made again when its pins change, and a scan that finds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.tasks.checks import SCANS
from greenroom.tools import tool

ROOT = Path(__file__).parents[1]


def pinned(root: Path, name: str) -> None:
    """Give a checkout one pin of ours as its tools."""
    text = (ROOT / "requirements" / "dev.txt").read_text()
    found = re.search(rf"^{name}==.*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found
    (root / "requirements").mkdir(exist_ok=True)
    (root / "requirements" / "tools.txt").write_text(found[0])


@pytest.mark.full
def test_tool_is_installed_once_until_the_pins_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinned(tmp_path, "ruff")
    program = tool(tmp_path, "ruff")
    assert program.exists()
    assert capsys.readouterr().err.startswith("making .venv-tools")
    tool(tmp_path, "ruff")
    assert capsys.readouterr().err == ""
    pinned(tmp_path, "pathspec")
    tool(tmp_path, "ruff")
    assert not program.exists()


@pytest.mark.full
def test_tool_that_cannot_be_installed_is_a_sentence(tmp_path: Path) -> None:
    pinned(tmp_path, "ruff")
    pins = tmp_path / "requirements" / "tools.txt"
    pins.write_text(re.sub(r"sha256:\w{6}", "sha256:000000", pins.read_text()))
    with pytest.raises(GreenroomError, match=r"^the packages of requirements/tools.txt could not be installed: "):
        tool(tmp_path, "ruff")
    assert not (tmp_path / ".venv-tools" / "tools.txt").exists()


@pytest.mark.full
def test_scan_finds_a_secret(tmp_path: Path) -> None:
    key = "AKIA" + "Z7QFWH3NQ5TLXW2P"  # put together here, so that the scan of this tree does not find it
    (tmp_path / "settings.py").write_text(f'AWS_ACCESS_KEY_ID = "{key}"\n')
    done = subprocess.run(
        [tool(ROOT, "checkov"), *SCANS[0][1:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "settings.py" in done.stdout) == (1, True), done.stdout + done.stderr
