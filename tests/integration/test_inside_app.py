"""Our own app in the image that `./inv build` makes: production's settings, SSM off, on the demo's data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.images import NAME, ROOT, built, inv
from tests.integration.small_images import containers

__all__ = ["built"]

pytestmark = pytest.mark.xdist_group("containers")


@pytest.mark.full
def test_app_is_rehearsed_in_its_image(built: Path, tmp_path: Path) -> None:
    words = ["--image", f"{NAME}:latest", "--drills", "back", "--report-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=230,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "latest" / "rehearsal.json").read_text())
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=built, capture_output=True, text=True, check=True).stdout
    image = document["image"]
    assert (image["name"], image["user"], image["revision"]) == (f"{NAME}:latest", "10001:10001", commit.strip())
    assert f"{NAME}:latest\n" in done.stdout and image["id"][:30] in done.stdout.replace("\n", "").replace(" ", "")
    assert document["fidelity"]["python"].startswith("3.13.")
    assert [drill["status"] for drill in document["drills"]] == ["passed"]
    assert [run["status"] for run in document["migrations"]] == ["applied"] * 3
    for name in ("report.md", "report.html"):
        assert image["id"] in (tmp_path / "latest" / name).read_text()
    assert containers(f"{NAME}:latest") == []


@pytest.mark.full
def test_variables_that_production_needs_are_named_where_nobody_gives_them(built: Path) -> None:
    """That checkout has no [tool.greenroom.project.image]; the image itself names production's settings."""
    said = inv(built, "migrate-rehearse", "--image", "latest")
    assert said.code == 2
    assert f"the project does not come up in {NAME}:latest: The settings module config.settings.prod" in said.error
    assert "DJANGO_SECRET_KEY" in said.error and "DJANGO_ALLOWED_HOSTS" in said.error
    assert "[tool.greenroom.project.image] has directory, settings, and environment." in said.error
    assert containers(f"{NAME}:latest") == []
