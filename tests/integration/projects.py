"""Small Django projects that tests write, the database they belong to, and a rehearsal of the one on the other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from greenroom.config import Config, Project
from greenroom.copies.acquiring import CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.request import Request
from greenroom.secret import Secret
from greenroom.tables import RehearsalDefaults

PASSWORD = "planted-pa55word"
SETTINGS = """
SECRET_KEY = "for tests"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "production.invalid",
        "NAME": "production",
        "USER": "nobody",
        "PASSWORD": "",
        "OPTIONS": {"options": "-c lock_timeout=0"},
    }
}
"""
INITIAL = """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Customer", [("id", models.BigAutoField(primary_key=True)), ("email", models.TextField())]
        ),
        migrations.CreateModel(
            "Line",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
                ("quantity", models.IntegerField()),
                ("note", models.CharField(max_length=100, null=True)),
            ],
        ),
    ]
"""
MIGRATION = """
import time

from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently

{before}


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("shop", "{after}")]
    operations = [{operations}]
"""


def write_project(directory: Path, *operations: str, before: str = "", atomic: bool = True) -> Path:
    """A project with the app `shop`: 0001_initial, then a migration for each text of operations."""
    migrations = directory / "shop" / "migrations"
    migrations.mkdir(parents=True, exist_ok=True)
    for package in (directory / "shop", migrations):
        (package / "__init__.py").touch()
    (directory / "shop_settings.py").write_text(SETTINGS)
    (migrations / "0001_initial.py").write_text(INITIAL)
    after = "0001_initial"
    for number, text in enumerate(operations, start=2):
        name = f"{number:04}_change"
        filled = MIGRATION.format(before=before, atomic=atomic, after=after, operations=text)
        (migrations / f"{name}.py").write_text(filled)
        after = name
    return directory


@contextmanager
def shop(server: Server, directory: Path, *, rows: int, name: str = "shop") -> Iterator[Address]:
    """A database at 0001_initial with `rows` lines and a tenth as many customers, owned by an ordinary role."""
    write_project(directory)
    owner = Address(server.address.host, server.address.port, name, f"{name}_owner", Secret(PASSWORD))
    role, database = sql.Identifier(owner.user), sql.Identifier(name)
    with psycopg.connect(**server.address.parameters, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, PASSWORD))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    try:
        _migrate(directory, owner)
        _fill(owner, rows)
        yield owner
    finally:
        with psycopg.connect(**server.address.parameters, autocommit=True) as admin:  # it may have been restarted
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def requested(
    source: Address,
    project: Path,
    *,
    facts: Project | None = None,
    defaults: RehearsalDefaults | None = None,
    branch: str = "test",
    **how: Any,
) -> Request:
    """To rehearse what is pending in the project on a branch of the source that TEMPLATE makes; `how` as in Request."""
    facts = facts or Project(directory=project, settings="shop_settings")
    config = Config(root=project, project=facts, rehearsal=defaults or RehearsalDefaults())
    assert source.password
    url = f"postgresql://{source.user}:{source.password.reveal()}@{source.host}:{source.port}/{source.database}"
    copy = CopyRequest(config=config, project=facts, url=url, template=True, branch=branch)
    return Request(config=config, project=facts, source=copy, **how)


def branches_of(source: Address) -> list[str]:
    """The databases on its server that are named after it, as copies are."""
    with psycopg.connect(**source.parameters) as connection:
        like = source.database.replace("_", r"\_") + r"\_\_%"
        return [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [like])]


def _migrate(directory: Path, owner: Address) -> None:
    script = (
        "import os, django\n"
        "from django.conf import settings\n"
        "d = settings.DATABASES['default']\n"
        "d.update(HOST=os.environ['PGHOST'], PORT=os.environ['PGPORT'], NAME=os.environ['PGDATABASE'])\n"
        "d.update(USER=os.environ['PGUSER'], PASSWORD=os.environ['PGPASSWORD'])\n"
        "django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', 'shop', '0001', verbosity=0)\n"
    )
    environment = {**os.environ, **owner.environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}
    subprocess.run([sys.executable, "-c", script], cwd=directory, env=environment, check=True)


def _fill(owner: Address, rows: int) -> None:
    customers = max(1, rows // 10)
    with psycopg.connect(**owner.parameters, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO shop_customer (email) SELECT 'c' || n || '@example.com' FROM generate_series(1, %s) n",
            [customers],
        )
        connection.execute(
            """
            INSERT INTO shop_line (customer_id, quantity, note)
            SELECT 1 + n %% %s, n %% 7, CASE WHEN n %% 5 = 0 THEN NULL ELSE 'note ' || n END
            FROM generate_series(1, %s) n
            """,
            [customers, rows],
        )
        connection.execute("VACUUM ANALYZE")
