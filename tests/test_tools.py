"""The environment of the scanners: made once, made again when its pins change, and a scan that finds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.tasks.checks import DOCKERFILES, SCANS
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


def scanned(place: Path, scanner: str, file: str, text: str) -> subprocess.CompletedProcess[str]:
    """What each scan of that file says where it reads so, and all other files are as they are."""
    (words,) = [words for words in SCANS if words[0] == scanner and file in words]
    for name in (*DOCKERFILES, "compose.yaml"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text if name == file else (ROOT / name).read_text())
    shutil.copytree(ROOT / "compose" / "checkov", place / "compose" / "checkov")
    argv = [tool(ROOT, scanner), *words[1:]]
    return subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)


@pytest.mark.full
@pytest.mark.parametrize("file", DOCKERFILES)
@pytest.mark.parametrize(("scanner", "rule"), [("checkov", "CKV_DOCKER_8"), ("hadolint", "DL3002")])
def test_scan_finds_a_container_that_runs_as_root(tmp_path: Path, scanner: str, rule: str, file: str) -> None:
    done = scanned(tmp_path, scanner, file, f"{(ROOT / file).read_text()}\nUSER root\n")
    assert (done.returncode, rule in done.stdout, file in done.stdout) == (1, True, True), done.stdout + done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (0, "", ""),
        (1, "read_only: true", "read_only: false"),
        (2, "cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
        (2, "cap_drop: [ALL]", "cap_drop: [ALL]\n  cap_add: [SYS_ADMIN]"),
        (3, 'security_opt: ["no-new-privileges:true"]', "security_opt: []"),
        (4, "  init: true", "  init: true\n  privileged: true"),
        (4, "  init: true", "  init: true\n  pid: host"),
        (4, "build/bastion/server:/keys:ro", "/var/run/docker.sock:/run/docker.sock"),
        (5, '"127.0.0.1:${BASTION_PORT', '"${BASTION_PORT'),
        (6, "image: postgres:18", "image: postgres"),
    ],
)
def test_scan_finds_a_container_that_is_open(tmp_path: Path, number: int, old: str, new: str) -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert old in text
    done = scanned(tmp_path, "checkov", "compose.yaml", text.replace(old, new, 1))
    found = set(re.findall(r"GREENROOM_COMPOSE_(\d)", done.stdout))
    assert (done.returncode, found) == ((1, {str(number)}) if number else (0, set())), done.stdout + done.stderr
