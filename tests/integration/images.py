"""The app's image, built once for the session by `./inv build` in a checkout of its own, and containers of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from greenroom import docker as room
from greenroom.errors import GreenroomError
from tests.integration.moto_server import CREDENTIALS

ROOT = Path(__file__).resolve().parents[2]
BASE = "python:3.13-slim-trixie"
NAME = f"greenroom-test-{os.getpid()}"
REGION = "eu-central-1"
CONFIGURATION = f"""
[tool.greenroom.image]
name = "{NAME}"
repository = "ledger"

[tool.greenroom.image.layers]
dependencies = "/opt/venv"
"static files" = "/app/build/static"
"app code" = "/app"

[tool.greenroom.environments.staging]
ssm_path = "/ledger/staging"
region = "{REGION}"
account = "123456789012"

[tool.greenroom.environments.other]
ssm_path = "/ledger/other"
region = "{REGION}"
account = "210987654321"
"""
AS_DEPLOYED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init")
PASSWORD = "pl4nted-hunter2"
ENVIRONMENT = {
    "DJANGO_SECRET_KEY": "pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51",
    "DJANGO_ALLOWED_HOSTS": "localhost",
    "DJANGO_EXTERNAL_HOST_NAME": "localhost",
    "DJANGO_EXTERNAL_PROTOCOL": "http",
    "DJANGO_DB_HOST": "nowhere.invalid",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": PASSWORD,
    "DJANGO_DB_SSLMODE": "disable",
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 or not check, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def inv(root: Path, *words: str, **environment: str) -> Said:
    """Run a task there, with nobody to ask; it knows no AWS but what it is given."""
    argv = [sys.executable, "-P", "-m", "greenroom", *words]
    given = {**os.environ, **CREDENTIALS, **environment}
    done = subprocess.run(
        argv, cwd=root, env=given, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def commit(root: Path) -> None:
    for words in (("add", "--all"), ("commit", "--quiet", "--allow-empty", "--message", "x")):
        argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
        subprocess.run(argv, cwd=root, check=True, capture_output=True)


def checkout(root: Path) -> Path:
    """A repository with our app, its pins and the templates, and a configuration of its own."""
    for name in ("app", "ci"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
    (root / "requirements").mkdir()
    shutil.copy(ROOT / "requirements" / "app.txt", root / "requirements" / "app.txt")
    shutil.copy(ROOT / ".gitignore", root / ".gitignore")
    (root / "pyproject.toml").write_text(CONFIGURATION)
    (root / "tasks.py").write_text("from greenroom.tasks import namespace\n")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    commit(root)
    return root


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkout whose image is built: `NAME:latest`."""
    try:
        with room.engine():
            docker("image", "inspect", BASE)
    except (GreenroomError, AssertionError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a Docker engine that has {BASE}: {error}")
    with image_of(tmp_path_factory.mktemp("image")) as root:
        yield root


@contextmanager
def image_of(directory: Path) -> Iterator[Path]:
    """A checkout in an empty directory, and its image; all images of that name are removed in the end."""
    root = checkout(directory)
    try:
        said = inv(root, "build")
        assert said.code == 0, said.error
        yield root
    finally:
        ours = {*docker("image", "ls", "--quiet", "--no-trunc", NAME).split()}
        if ours:
            docker("image", "rm", "--force", *ours)


@contextmanager
def container(*options: str, image: str = f"{NAME}:latest", command: tuple[str, ...] = (), **env: str) -> Iterator[str]:
    """A container that runs, as it is deployed: read-only, and with no capabilities. Yields its id."""
    variables = [word for name, value in {**ENVIRONMENT, **env}.items() for word in ("--env", f"{name}={value}")]
    made = docker("run", "--detach", *AS_DEPLOYED, *options, *variables, image, *command)
    try:
        yield made
    finally:
        docker("rm", "--force", "--volumes", made)


PUBLISHED = ("--publish", "127.0.0.1::8000")


def url(made: str) -> str:
    """Of a container that is PUBLISHED."""
    return f"http://{docker('port', made, '8000/tcp').splitlines()[0]}"


def get(address: str, seconds: float = 20, pause: float = 0.05) -> tuple[int, str]:
    """Status and body, of a server that may only be starting."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(Request(address, headers={"Host": "localhost"}), timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(pause)


def inspect(made: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", made))
    return found[0]


def state(made: str) -> dict[str, Any]:
    found: dict[str, Any] = inspect(made)["State"]
    return found


def logged(made: str) -> list[dict[str, Any]]:
    """What the container's program wrote, each line of it JSON."""
    return [json.loads(line) for line in docker("logs", made).splitlines()]


@dataclass(frozen=True)
class Database:
    network: str
    server: str

    def sql(self, statement: str) -> subprocess.Popen[str]:
        """Run it in the server, as its owner; it may last."""
        argv = ["docker", "exec", self.server, "psql", "-U", "ledger", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, text=True)


@pytest.fixture(scope="session")
def database(built: Path) -> Iterator[Database]:
    """One for the session of this worker."""
    with postgres() as found:
        yield found


@contextmanager
def postgres() -> Iterator[Database]:
    """PostgreSQL in a network of its own, called `db` there, with every migration of the image applied by the image."""
    network = f"{NAME}-{uuid4().hex[:8]}"
    docker("network", "create", network)
    words = ["--env", f"POSTGRES_PASSWORD={PASSWORD}", "--env", "POSTGRES_USER=ledger", "--env", "POSTGRES_DB=ledger"]
    try:
        server = docker("run", "--detach", "--network", network, "--network-alias", "db", *words, "postgres:18")
        try:
            found = Database(network, server)
            wait_for_postgres(found)
            manage(found, "migrate", "--no-input")
            yield found
        finally:
            docker("rm", "--force", "--volumes", server)
    finally:
        docker("network", "rm", network)


def wait_for_postgres(found: Database) -> None:
    """Over TCP: while it is made, it answers on its socket alone."""
    ready = ["exec", found.server, "pg_isready", "--host", "127.0.0.1", "--username", "ledger"]
    end = time.monotonic() + 60
    while subprocess.run(["docker", *ready], capture_output=True).returncode != 0:
        assert time.monotonic() < end, docker("logs", found.server)
        time.sleep(0.2)


def manage(found: Database, *words: str) -> str:
    """Run `manage.py` in a container of the image, to its end; returns what it wrote."""
    with container("--network", found.network, command=("python", "manage.py", *words), DJANGO_DB_HOST="db") as made:
        assert docker("wait", made) == "0", docker("logs", made)
        return docker("logs", made)
