"""What BuildKit takes from a checkout, and what we say of it: by its own output, of a build without a base image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from greenroom import config
from greenroom.image import context
from tests.integration.images import ROOT, checkout
from tests.integration.small_images import needed

pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.full]

COPIES = "FROM scratch\nCOPY app /app\n"
STRANGERS = (
    *("app/dist/customers.sql", "app/build/x", "app/local.py", "app/.env", "app/ledger/.x/y/z", "app/a.pyc"),
    *("app/ledger/__pycache__/x.pyc", "app/Dockerfile.old", "app/keep/in", "app/keep/out", "dist/x"),
)


@pytest.mark.parametrize(
    "ignored",
    [
        (ROOT / "app" / "Dockerfile.dockerignore").read_text(),
        "",
        "*\n!app\n!requirements\napp/keep\n!app/keep/in\n/app/dist/\n**/*.pyc\n",
        "**/x*\napp/*\n!app/ke*p\n # no comment\n#comment\n./app/../app/keep/ou?\n",
        "app/**/z\n!**/y\n**/keep/**\napp/[a-l]*.py\n!requirements/app.txt\n",
    ],
)
def test_strangers_are_what_a_build_takes_and_git_does_not_track(tmp_path: Path, ignored: str) -> None:
    needed()
    (tmp_path / "own").mkdir()
    root = checkout(tmp_path / "own")
    for name in STRANGERS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "app" / "Dockerfile").write_text(COPIES)
    (root / "app" / "Dockerfile.dockerignore").write_text(ignored)
    out = tmp_path / "out"
    argv = ["docker", "buildx", "build", "--output", f"type=local,dest={out}", "--file", "app/Dockerfile", "."]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert set(context.strangers(config.load(root))) == taken & set(STRANGERS) != set()
