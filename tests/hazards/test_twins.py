"""The safe twins that Greenroom writes by itself, for the catalogue's bad examples: on real data, as it is typed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greenroom.postgres.address import Address
from greenroom.rehearsal.twins.wanted import MECHANICAL
from tests.hazards.harness import HERE, PASSWORD, furnished, write_project
from tests.own_places import surroundings

pytestmark = pytest.mark.full

ROOT = HERE.parents[1]
BUDGET_MS = "3"
WRITTEN = {
    "H01": ["0002_bad.py"],
    "H02": ["0002_bad.py"],
    "H03": ["0002_1_bad.py", "0002_2_bad.py", "0002_3_bad.py", "0002_bad.py"],
    "H04": ["0002_bad.py"],
    "H08": ["0002_1_bad.py", "0002_bad.py"],
    "H09": ["0002_bad.py"],
    "H10": ["0002_1_bad.py", "0002_bad.py"],
    "H11": ["0002_1_bad.py", "0002_bad.py"],
    "H12": ["0002_1_bad.py", "0002_bad.py"],
    "H13": ["0002_1_bad.py", "0002_bad.py"],
    "H14": ["0002_1_bad.py", "0002_2_bad.py", "0002_3_bad.py", "0002_bad.py"],
    "H15": ["0002_bad.py"],
    "H17": ["0002_1_bad.py", "0002_2_bad.py", "0002_bad.py"],
}
BRIEF = {"H04", "H12", "H14"}  # a wait of milliseconds: on a busy machine that of the twin may be as long
QUICK = {"H01", "H08", "H10", "H13", "H17"}  # the others are as good, and take their time


def typed(source: Address, project: Path, *words: str) -> tuple[str, Path, dict[str, Any]]:
    reports = project.parent / "reports"
    url = f"postgresql://{source.user}@{source.server}/{source.database}"
    command = [sys.executable, "-m", "greenroom", "migrate-rehearse", "--url", url, "--template", "--drills", "none"]
    command += ["--project", str(project), "--settings", "shop_settings", "--report-dir", str(reports)]
    command += ["--budget-read-ms", BUDGET_MS, "--budget-write-ms", BUDGET_MS, *words]
    environment = {**surroundings(project.parent), "PGPASSWORD": PASSWORD}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    directory = (reports / "latest").resolve()
    return done.stdout, directory, json.loads((directory / "rehearsal.json").read_text())


def test_every_mechanical_hazard_is_tried() -> None:
    assert set(WRITTEN) | {"H41", "H46"} == MECHANICAL


@pytest.mark.parametrize(
    "hazard", [pytest.param(one, marks=[] if one in QUICK else [pytest.mark.full]) for one in sorted(WRITTEN)]
)
def test_twin_of_the_bad_example_keeps_fewer_waiting(hazard: str, source: Address, tmp_path: Path) -> None:
    with furnished(source, hazard) as shop:
        project = write_project(tmp_path / "project", [HERE / hazard / "bad.py"])
        printed, directory, document = typed(shop, project, "--try-twin")
        [twin] = document["twins"]
        assert twin["status"] == "rehearsed", twin["reason"]
        assert twin["hazards"] == [hazard]
        assert (twin["same_schema"], twin["differences"], twin["left"]) == (True, [], [])
        assert hazard not in twin["remaining"]
        before = max(max(wait["read_ms"], wait["write_ms"]) for wait in twin["waits"])
        after = max(max(wait["twin_read_ms"], wait["twin_write_ms"]) for wait in twin["waits"])
        assert hazard in BRIEF or after < before > float(BUDGET_MS)
        files = sorted(path.relative_to(directory / "twin") for path in (directory / "twin").rglob("*.py"))
        assert [str(path) for path in files] == [f"shop/{name}" for name in WRITTEN[hazard]]
        assert {file["path"]: file["text"] for file in twin["files"]} == {
            str(path): (directory / "twin" / path).read_text() for path in files
        }
        assert "safe twin" in printed and twin["files"][-1]["replaces"]
        shutil.copytree(directory / "twin" / "shop", project / "shop" / "migrations", dirs_exist_ok=True)
        _, _, again = typed(shop, project)
        assert [run["name"] + ".py" for run in again["migrations"]] == WRITTEN[hazard]
        assert {run["status"] for run in again["migrations"]} == {"applied"}


def test_twin_is_tried_only_where_it_is_wished(source: Address, tmp_path: Path) -> None:
    _, directory, document = typed(source, write_project(tmp_path / "project", [HERE / "H01" / "bad.py"]))
    assert document["twins"] == [] and not (directory / "twin").exists()
