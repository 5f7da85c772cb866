"""A checkout whose containers are nobody else's, and all of its compose.yaml, up."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from greenroom import docker
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.postmaster import free_port
from tests.integration.running import INV, ROOT, Said, environment, inv

PARTS = (
    "app",
    "compose",
    "compose.yaml",
    "pyproject.toml",
    "tasks.py",
    "requirements/app.txt",
    "requirements/moto.txt",
)
PASSWORD = "only-for-this-test-container"
PENDING = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "{before}")]
    operations = [migrations.AddIndex("finding", models.Index(fields=["summary"], name="finding_summary_idx"))]
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout of its own, whose containers, images and ports are nobody else's."""

    root: Path
    project: str
    ports: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        home = {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "scratch")}
        return {"COMPOSE_PROJECT_NAME": self.project, "LEDGER_IMAGE": f"{self.project}-app", **self.ports, **home}

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports['DJANGO_EXTERNAL_PORT_NUM']}"

    def inv(self, *words: str, env: Mapping[str, str] = {}) -> Said:
        said = inv(*words, env={**self.env, **env}, cwd=self.root)
        assert "pl4nted" not in said.out + said.error
        return said

    def start(self, *words: str, env: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        """Without waiting for its end."""
        return subprocess.Popen(
            [*INV, *words],
            cwd=self.root,
            env=environment({**self.env, **env}),
            stdout=-1,
            stderr=-1,
            stdin=-3,
            text=True,
        )

    def another(self, place: Path) -> Checkout:
        """The same files and images under another project's name, and at other ports."""
        made = checkout_in(place)
        return Checkout(made.root, made.project, {**made.ports, "LEDGER_IMAGE": self.env["LEDGER_IMAGE"]})

    def inspect(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(run("docker", "inspect", f"{self.project}-{service}-1"))
        return dict(found)

    def containers(self) -> list[str]:
        label = f"label=com.docker.compose.project={self.project}"
        return run("docker", "ps", "--all", "--quiet", "--filter", label).split()

    def volumes(self) -> list[str]:
        return run("docker", "volume", "ls", "--quiet", "--filter", f"name={self.project}_").split()

    def clear(self) -> None:
        """Whatever a test has left."""
        label = f"label=com.docker.compose.project={self.project}"
        for what, listed in (("container", ["--all"]), ("image", ["--all"]), ("volume", []), ("network", [])):
            found = set(run("docker", what, "ls", "--quiet", *listed, "--filter", label).split())
            if found:
                run("docker", what, "rm", "--force", *sorted(found))


def run(*words: str, stdin: str | None = None) -> str:
    return subprocess.run(words, input=stdin, check=True, capture_output=True, text=True, timeout=120).stdout


def checkout_in(place: Path) -> Checkout:
    for name in PARTS:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
        else:
            shutil.copy2(ROOT / name, place / name)
    for name in ("home/.ssh", "scratch"):
        (place / name).mkdir(parents=True)
    for above in (place, *place.parents[:2]):
        above.chmod(0o711)  # a server that runs as nobody passes through
    names = ("DJANGO_EXTERNAL_PORT_NUM", "SSM_APP_PORT", "BASTION_PORT")
    return Checkout(place, f"greenroom-test-{secrets.token_hex(4)}", {name: str(free_port()) for name in names})


@contextmanager
def cleared(checkout: Checkout) -> Iterator[Checkout]:
    try:
        yield checkout
    finally:
        checkout.clear()


@pytest.fixture(scope="module")
def engine() -> None:
    """Skip where there is no engine with the images that all is made from; in CI that is a failure."""
    try:
        with docker.engine() as found:
            for image in ("python:3.13-slim-trixie", "postgres:18"):
                found.image(image, Silent())
    except GreenroomError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a Docker engine with python:3.13-slim-trixie and postgres:18: {error.sentence}")


@pytest.fixture(scope="module")
def checkout(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with cleared(checkout_in(tmp_path_factory.mktemp("checkout"))) as made:
        yield made


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Said:
    """All of compose.yaml, started by one command from nothing: the images are built too."""
    said = checkout.inv("up", "--detach", "--demo", "--profile", "bastion", "--profile", "aws")
    assert said.code == 0, said.error
    (checkout.root / "home/.ssh/config").write_text(f"Include {checkout.root}/build/bastion/ssh_config\n")
    return said


@pytest.fixture
def pending(checkout: Checkout) -> Iterator[str]:
    """A migration that the database does not have."""
    directory = checkout.root / "app/ledger/migrations"
    before = sorted(path.stem for path in directory.glob("0*.py"))[-1]
    file = directory / f"{int(before[:4]) + 1:04}_summary_index.py"
    file.write_text(PENDING.format(before=before))
    yield f"ledger.{file.stem}"
    file.unlink()
