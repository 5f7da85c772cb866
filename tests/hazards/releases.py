"""Two releases of a small app in a git repository: what the rows that break the running release are tried with.

An example has `old/models.py`, and `new/` and `good/` with their models and the migration from the one to the other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.config import DatabaseVariables, Project
from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Budget, Drill, Finding, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.secret import Secret
from greenroom.tables import Accepted, RehearsalDefaults
from tests.integration.projects import requested

HERE = Path(__file__).parent
ROWS = 20_000
PASSWORD = "of-the-stock"
SETTINGS = """
SECRET_KEY = "for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.postgres", "stock"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "nowhere"}}
"""
RUN = """
import os, sys, django
from django.conf import settings
settings.DATABASES["default"].update(
    HOST=os.environ["PGHOST"], PORT=os.environ["PGPORT"], NAME=os.environ["PGDATABASE"],
    USER=os.environ["PGUSER"], PASSWORD=os.environ["PGPASSWORD"],
)
django.setup()
from django.core.management import call_command
call_command("makemigrations", "stock", verbosity=0)
call_command("migrate", verbosity=0)
"""
CHANGE = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [{}]
"""
DOCKERFILE = """
FROM python:3.13-slim-trixie
RUN pip install --quiet --root-user-action=ignore django~=5.2.0 "psycopg[binary]"
WORKDIR /app
COPY . .
CMD ["python", "-m", "http.server"]
"""
FILL = (
    "INSERT INTO stock_item (name, note, quantity) SELECT 'name ' || n, 'note ' || n, n FROM generate_series(1, {}) n"
)

NAMES = DatabaseVariables(host="PGHOST", port="PGPORT", name="PGDATABASE", user="PGUSER", password="PGPASSWORD")
TOLD = """
import os
DATABASES["default"].update(
    HOST=os.environ.get("PGHOST"), PORT=os.environ.get("PGPORT"), NAME=os.environ.get("PGDATABASE"),
    USER=os.environ.get("PGUSER"), PASSWORD=os.environ.get("PGPASSWORD"),
)
"""
HEAD = "from django.db import models\nfrom django.db.models.functions import Lower\n"
ITEM = (
    HEAD
    + """
class Item(models.Model):
    name = models.CharField(max_length=100)
    {}
"""
)
QUANTITY = ITEM.format("quantity = models.IntegerField(null=True)")
GONE = "migrations.RemoveField('item', 'quantity')"
ITEMS = "INSERT INTO stock_item (name) SELECT 'n' || n FROM generate_series(1, 2000) n"


def rows() -> list[str]:
    """The ids that have such an example."""
    return sorted(path.name for path in HERE.glob("C*") if (path / "old" / "models.py").exists())


def stock(server: Server, place: Path, hazard: str) -> AbstractContextManager[tuple[Address, Path]]:
    """The old release of an example, with its items."""
    models = (HERE / hazard / "old" / "models.py").read_text()
    return running(server, place, models, FILL.format(ROWS), name=hazard.lower())


@contextmanager
def running(
    server: Server,
    place: Path,
    models: str,
    *fill: str,
    name: str = "odd",
    under: str = "",
    python: str | None = None,
    before: Sequence[str] = (),
) -> Iterator[tuple[Address, Path]]:
    """The database of a release, filled, and its repository, where that release is tagged v1.

    `under` is the directory of its app; `before` are statements that run before its migrations.
    """
    project = _old(place, models, under)
    name = f"stock_{name}"
    owner = Address(server.address.host, server.address.port, name, f"{name}_owner", Secret(PASSWORD))
    role, database = sql.Identifier(owner.user), sql.Identifier(owner.database)
    with psycopg.connect(**server.address.parameters, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, PASSWORD))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        try:
            environment = {**os.environ, **owner.environment, "DJANGO_SETTINGS_MODULE": "stock_settings"}
            with psycopg.connect(**owner.parameters, autocommit=True) as connection:
                for statement in before:
                    connection.execute(statement.encode())
                subprocess.run([python or sys.executable, "-c", RUN], cwd=project, env=environment, check=True)
                for statement in (*fill, "VACUUM ANALYZE"):
                    connection.execute(statement.encode())
            _commit(project, "v1")
            yield owner, project
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def release(project: Path, example: Path) -> None:
    """From now on HEAD is the release of this example."""
    shutil.copy(example / "models.py", project / "stock" / "models.py")
    for migration in sorted(example.glob("0*.py")):
        shutil.copy(migration, project / "stock" / "migrations")
    _commit(project)


def told_by_variables(project: Path) -> None:
    """From its first release on it takes its database from NAMES."""
    settings = project / "stock_settings.py"
    settings.write_text(settings.read_text() + TOLD)
    git(project, "commit", "--all", "--quiet", "--amend", "--no-edit")
    git(project, "tag", "--force", "v1")


def change(project: Path, models: str, operations: str, under: str = "", commit: bool = True) -> None:
    """The release with these models and one migration; HEAD, unless it is not committed yet."""
    app = project / under / "stock"
    (app / "models.py").write_text(models)
    (app / "migrations" / "0002_change.py").write_text(CHANGE.format(operations))
    if commit:
        _commit(project)


def rehearsed(
    source: Address,
    project: Path,
    *accepted: Accepted,
    base: str | None = None,
    check: str | None = None,
    base_image: str | None = None,
    variables: DatabaseVariables | None = None,
    python: str | None = None,
) -> Rehearsal:
    """A rehearsal of the new release with the drill old-release."""
    python = python or sys.executable
    facts = Project(directory=project, settings="stock_settings", python=python, database_variables=variables)
    defaults = RehearsalDefaults(accepted=list(accepted))
    asked = requested(source, project, facts=facts, defaults=defaults, branch="releases", base=base, base_check=check)
    budget = Budget(read_ms=1000, write_ms=1000, timeout_seconds=60)
    return rehearse(replace(asked, base_image=base_image, budget=budget, drills=("old-release",)), Silent())


def drilled(
    server: Server, place: Path, old: str, new: str, operations: str, *fill: str, before: tuple[str, ...] = ()
) -> tuple[Drill, list[Finding]]:
    """What the drill says of the change from one release to the next."""
    with running(server, place / "project", old, *fill, before=before) as (source, project):
        change(project, new, operations)
        rehearsal = rehearsed(source, project)
    [drill] = rehearsal.drills
    return drill, [finding for finding in rehearsal.findings if finding.drill]


def said(found: list[Finding]) -> list[tuple[str, str]]:
    """The findings' hazards, and what they say."""
    return [(finding.hazard, finding.evidence.summary) for finding in found]


def detail(drill: Drill, model: str) -> str:
    """Of one model's step."""
    [step] = [step for step in drill.steps if step.what == model]
    return step.detail


def git(project: Path, *words: str) -> str:
    """In the project's repository, as somebody."""
    named = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *named, *words], cwd=project, check=True, capture_output=True, text=True)
    return done.stdout


def _old(place: Path, models: str, under: str) -> Path:
    migrations = place / under / "stock" / "migrations"
    migrations.mkdir(parents=True)
    for package in (migrations.parent, migrations):
        (package / "__init__.py").touch()
    (place / "stock_settings.py").write_text(SETTINGS)
    (place / ".gitignore").write_text("__pycache__/\n")
    (migrations.parent / "models.py").write_text(models)
    git(place, "init", "--quiet", "--initial-branch=main")
    return place


def _commit(project: Path, tag: str | None = None) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", tag or "the new release")
    if tag:
        git(project, "tag", tag)


def image(project: Path, name: str) -> None:
    """The release that is checked out, as an image with its own Python and Django."""
    (project / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(["docker", "build", "--quiet", "--tag", name, "."], cwd=project, check=True, capture_output=True)
    (project / "Dockerfile").unlink()
