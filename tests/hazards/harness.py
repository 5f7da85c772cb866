"""A shop with 200,000 rows a table, and a rehearsal of a migration on it: what every hazard is tried with.

A hazard's folder has `bad*` and `good*` migrations: a `bad` each is a case of its own, the `good` ones are a release
each, in order; a folder `bad` has several that are pending at once. They are Django's (`.py`), or SQL that becomes a
RunSQL (`.sql`, with a line `-- atomic: no` where it cannot run in a transaction). `setup.sql` makes what must be there
before, on a clone of the shop for that hazard alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import sqlparse
from psycopg import sql

from greenroom.config import Project
from greenroom.console import Silent
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal import drills as drilling
from greenroom.rehearsal.document import Budget, Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.secret import Secret
from tests.integration.projects import requested

HERE = Path(__file__).parent
ROWS = 200_000
PASSWORD = "of-the-shop"
BUDGET = Budget(read_ms=5, write_ms=5, timeout_seconds=120)

FILL = [
    "INSERT INTO shop_customer (name, city)"  # the last ten have one name
    " SELECT 'customer ' || least(n, {rows} - 9), 'city ' || n % 97 FROM generate_series(1, {rows}) n",
    "INSERT INTO shop_product (sku, stock, price, listed)"
    " SELECT 'SKU' || n, n % 50, n % 900, timestamp '2020-01-01' + n * interval '1 minute'"
    " FROM generate_series(1, {rows}) n",
    "INSERT INTO shop_order (customer_id, referrer_id, status, note)"
    " SELECT 1 + n * 7 % {rows}, 1 + n * 11 % {rows}, 'state ' || n % 5, 'note ' || n"
    " FROM generate_series(1, {rows}) n",
    "INSERT INTO shop_orderline (order_id, product_id, quantity)"
    " SELECT n, 1 + n * 13 % {rows}, n % 7 FROM generate_series(1, {rows}) n",
    "VACUUM (FREEZE, ANALYZE)",
]
# In an example's docstring: a line for the project's settings, a setting of the source database, the drills to hold.
PROJECT_SETTING = re.compile(r"^settings: (.+)$", re.MULTILINE)
DRILLS = re.compile(r"^drills: (.+)$", re.MULTILINE)
SOURCE_SETTING = re.compile(r"^source: (.+)$", re.MULTILINE)
MIGRATE = """
import os, django
from django.conf import settings
settings.DATABASES["default"].update(
    HOST=os.environ["PGHOST"], PORT=os.environ["PGPORT"], NAME=os.environ["PGDATABASE"],
    USER=os.environ["PGUSER"], PASSWORD=os.environ["PGPASSWORD"],
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


def hazards() -> list[str]:
    """The ids that have a folder with an example."""
    return sorted({path.parent.name for path in bad()})


def bad() -> list[Path]:
    """Every migration, or folder of them, that shows a hazard."""
    return sorted(HERE.glob("*/bad*"))


def good(hazard: str) -> list[Path]:
    """The migrations of its safe twin, in order: one a release."""
    return sorted((HERE / hazard).glob("good*"))


@contextmanager
def shop(server: Server, directory: Path) -> Iterator[Address]:
    """The shop's database on a server, owned by an ordinary role, for as long as the block lasts."""
    project = write_project(directory, [])
    owner = Address(server.address.host, server.address.port, "shop", "shop_owner", Secret(PASSWORD))
    role, database = sql.Identifier(owner.user), sql.Identifier(owner.database)
    with psycopg.connect(**server.address.parameters, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, PASSWORD))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
        try:
            environment = {**os.environ, **owner.environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}
            subprocess.run([sys.executable, "-c", MIGRATE], cwd=project, env=environment, check=True)
            with psycopg.connect(**owner.parameters, autocommit=True) as connection:
                for statement in FILL:
                    connection.execute(statement.format(rows=ROWS))
            yield owner
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


@contextmanager
def furnished(shop: Address, hazard: str) -> Iterator[Address]:
    """The shop; where the hazard has a `setup.sql`, a clone of it on which that has run."""
    setup = HERE / hazard / "setup.sql"
    if not setup.exists():
        yield shop
        return
    clone, names = replace(shop, database=f"shop_{hazard}"), (sql.Identifier(f"shop_{hazard}"), sql.Identifier("shop"))
    with psycopg.connect(**replace(shop, database="postgres").parameters, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        try:
            with psycopg.connect(**clone.parameters, autocommit=True) as inside:
                for statement in sqlparse.split(setup.read_text()):
                    inside.execute(statement)
            yield clone
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def write_project(directory: Path, migrations: list[Path]) -> Path:
    """The shop as a Django project, with these migrations pending, and the settings that they name."""
    shutil.copytree(HERE / "shop", directory / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "shop_settings.py", directory)
    before = "0001_initial"
    files = [file for path in migrations for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    with (directory / "shop_settings.py").open("a") as settings:
        settings.writelines(f"{line}\n" for path in files for line in PROJECT_SETTING.findall(path.read_text()))
    for number, path in enumerate(files, start=2):
        migration = directory / "shop" / "migrations" / f"{number:04}_{path.stem}.py"
        migration.write_text(path.read_text() if path.suffix == ".py" else _run_sql(path, before))
        before = migration.stem
    return directory


def _run_sql(path: Path, before: str) -> str:
    """A migration that runs each statement of the file."""
    text = path.read_text()
    return f"""from django.db import migrations


class Migration(migrations.Migration):
    atomic = {not re.search("^-- atomic: no$", text, re.MULTILINE)}
    dependencies = [("shop", "{before}")]
    operations = [migrations.RunSQL({sqlparse.split(text)!r}, migrations.RunSQL.noop)]
"""


def rehearsed(source: Address, project: Path) -> Rehearsal:
    """A rehearsal of all that is pending, on a copy of the shop."""
    facts = Project(directory=project, settings="shop_settings")
    names = [name for text in pending(project) for name in DRILLS.findall(text)]
    drills = drilling.named(names[0]) if names else ()
    request = requested(source, project, facts=facts, branch="hazards", budget=BUDGET, drills=drills)
    with as_named(source, project):
        return rehearse(request, Silent())


def pending(project: Path) -> list[str]:
    """The texts of the project's migrations."""
    return [path.read_text() for path in (project / "shop" / "migrations").glob("*.py")]


@contextmanager
def as_named(source: Address, project: Path) -> Iterator[None]:
    """The source with the settings that the pending migrations name."""
    settings = [setting for text in pending(project) for setting in SOURCE_SETTING.findall(text)]
    alter(source, *(f"SET {setting}" for setting in settings))
    try:
        yield
    finally:
        alter(source, *("RESET ALL" for _ in settings))


def alter(source: Address, *changes: str) -> None:
    """Change the database's own settings."""
    for change in changes:
        with psycopg.connect(**source.parameters, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {source.database} {change}")
