"""Which code the drill old-release runs: that of the release, with what the release pins, and no other."""

from __future__ import annotations

import socket
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Release
from tests.hazards.releases import (
    GONE,
    ITEM,
    ITEMS,
    NAMES,
    QUANTITY,
    change,
    git,
    rehearsed,
    running,
    told_by_variables,
)

pytestmark = pytest.mark.full


def environment(place: Path, source: Path) -> str:
    """An interpreter that has what this one has, and `source` installed as editable."""
    venv.create(place)
    [packages] = (place / "lib").glob("python*/site-packages")
    (packages / "beside.pth").write_text(f"{Path(sys.prefix, *packages.parts[-3:])}\n")
    (packages / "stock.pth").write_text(f"{source}\n")
    return str(place / "bin" / "python")


def test_editable_install_of_the_checkout_is_not_what_runs(server: Server, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", tmp_path / "project" / "src")
    with running(server, tmp_path / "project", QUANTITY, ITEMS, under="src", python=python) as (source, project):
        told_by_variables(project)
        change(project, ITEM.format("pass"), GONE, under="src")
        check = 'python -c "from pathlib import Path; import stock; Path(stock.__file__).relative_to(Path.cwd())"'
        rehearsal = rehearsed(source, project, python=python, check=check, variables=NAMES)
        commit = git(project, "rev-parse", "v1^{commit}").strip()
    [drill] = rehearsal.drills
    assert drill.release == Release(name="v1", commit=commit)
    assert drill.status == "failed", drill
    assert "quantity is gone" in drill.reason
    assert drill.steps[-1].detail == "exit code 0"


def test_code_that_is_not_the_release_breaks_the_drill_off(server: Server, tmp_path: Path) -> None:
    """The app stood in another directory then, which the environment knows no more."""
    python = environment(tmp_path / "venv", tmp_path / "project" / "lib")
    with running(server, tmp_path / "project", QUANTITY, ITEMS, under="lib", python=python) as (source, project):
        environment(tmp_path / "venv", project / "src")
        git(project, "mv", "lib", "src")
        change(project, ITEM.format("pass"), GONE, under="src")
        [drill] = rehearsed(source, project, python=python).drills
    assert drill.status == "broken off"
    assert drill.reason == "v1's code was not what ran: stock.models was loaded from elsewhere."


FINDER = """
import sys
from importlib.util import spec_from_file_location
from pathlib import Path

MAPPING = {{"stock": {!r}}}


class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            place = Path(MAPPING[name])
            return spec_from_file_location(name, place / "__init__.py", submodule_search_locations=[str(place)])


def install():
    sys.meta_path.append(Finder)
"""


def test_mapping_of_an_editable_install_is_turned_too(server: Server, tmp_path: Path) -> None:
    """Where the app is not in a directory of its own, setuptools maps its package in a module of this name."""
    package = tmp_path / "project" / "lib" / "stock"
    python = environment(tmp_path / "venv", tmp_path / "nothing")
    [packages] = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "stock.pth").write_text("import __editable___stock_1_0_finder as f; f.install()\n")
    (packages / "__editable___stock_1_0_finder.py").write_text(FINDER.format(str(package)))
    with running(server, tmp_path / "project", QUANTITY, ITEMS, under="lib", python=python) as (source, project):
        change(project, ITEM.format("pass"), GONE, under="lib")
        [drill] = rehearsed(source, project, python=python).drills
    assert drill.status == "failed", drill
    assert "quantity is gone" in drill.reason


CALLING = """
import socket

socket.create_connection(("127.0.0.1", {}), 1)
"""


def test_sockets_of_the_release_are_closed(server: Server, tmp_path: Path) -> None:
    """Its code calls home while it is loaded: nobody hears it, and it is not run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        with running(server, tmp_path / "project", QUANTITY, ITEMS) as (source, project):
            models = project / "stock" / "models.py"
            models.write_text(CALLING.format(port) + QUANTITY)
            git(project, "commit", "--all", "--quiet", "--amend", "--no-edit")
            git(project, "tag", "--force", "v1")
            change(project, ITEM.format("pass"), GONE)
            [drill] = rehearsed(source, project).drills
        with pytest.raises(TimeoutError):
            listener.accept()
    assert drill.status == "broken off"
    assert drill.reason.startswith("v1 does not start (no pins, so the present environment): "), drill


@pytest.mark.parametrize("base", [None, "v1"])
def test_head_is_the_running_release_until_the_change_is_committed(
    server: Server, tmp_path: Path, base: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(server, tmp_path / "project", QUANTITY, ITEMS) as (source, project):
        git(project, "tag", "--delete", "v1")
        git(project, "tag", "v0")
        monkeypatch.setenv("GIT_COMMITTER_DATE", "2040-01-01T00:00:00Z")
        git(project, "commit", "--quiet", "--allow-empty", "--message", "v1")
        git(project, "tag", "v1")
        change(project, ITEM.format("pass"), GONE, commit=False)
        [drill] = rehearsed(source, project, base=base).drills
    assert drill.status == "failed", drill
    assert drill.reason.startswith("v1 "), drill


def test_files_that_are_no_code_do_not_make_head_the_running_release(server: Server, tmp_path: Path) -> None:
    with running(server, tmp_path / "project", QUANTITY, ITEMS) as (source, project):
        change(project, ITEM.format("pass"), GONE)
        git(project, "tag", "v2")
        (project / "report.html").touch()
        [drill] = rehearsed(source, project).drills
    assert drill.reason.startswith("v1 "), drill


def wheel(place: Path, version: str, word: str) -> str:
    """A package `pinned` of that version, which also lends its environment what this one has; its path."""
    name = f"pinned-{version}"
    info, file = f"{name}.dist-info", place / f"{name}-py3-none-any.whl"
    [packages] = {path for path in sys.path if path.endswith("site-packages")}
    files = {
        "pinned.py": f"{word} = 100\n",
        "pinned.pth": f"{packages}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pinned\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return file.name


def test_release_runs_with_its_own_pinned_dependencies(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its models need a name that only its own version of a package has; pip installs that from its repository."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    models = "from pinned import {}\n" + QUANTITY
    project = tmp_path / "project"
    project.mkdir()
    old = wheel(project, "1.0", "OLD")
    python = environment(tmp_path / "venv", project)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", project / old], check=True
    )
    (project / "requirements.txt").write_text(f"./{old}\n")
    with running(server, project, models.format("OLD"), ITEMS, python=python) as (source, project):
        new = wheel(project, "2.0", "NEW")
        (project / "requirements.txt").write_text(f"./{new}\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", project / new],
            check=True,
        )
        change(project, models.format("NEW").replace("quantity = models.IntegerField(null=True)", "pass"), GONE)
        [drill] = rehearsed(source, project, python=python).drills
    assert drill.status == "failed", drill
    assert drill.reason.startswith("v1 (its own requirements.txt): stock.Item cannot read")
    assert "quantity is gone" in drill.reason
