"""The demo: a database of the project's own at an earlier state, with its demo data, and a copy of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from greenroom import shell
from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.copies.project import environment_of, interpreter
from greenroom.errors import GreenroomError
from greenroom.postgres import branch, lease, roles
from greenroom.postgres.address import Address
from greenroom.postgres.analysis import analyse
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.holding import Held, held_with_server
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect, facts
from greenroom.tables import Demo

_CALLS = """
import json, sys
import django
from django.core.management import call_command
django.setup()
for command in json.loads(sys.argv[1]):
    call_command(*command)
"""


@contextmanager
def demo(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Make the demo's database on an embedded server and yield a copy of it. Raises GreenroomError."""
    wanted = _wanted(request)
    progress.step("starting an embedded PostgreSQL server")
    with embedded() as server:
        source = _database(server, _name(request))
        _fill(request, wanted, source, progress)
        progress.step("vacuum and analyse")
        analyse(server.address.at(source.database), server.binaries)
        name = lease.copy_name(source.database, request.branch)
        terms = Lease.new(branch=request.branch, source="demo", hours=request.lease_hours)
        with held_with_server(server.address, name, terms) as copy:
            progress.step(f"copying {source.database} by TEMPLATE")
            branch.create_by_template(copy.connection, name, source.database, source.user)
            copy.grant()
            branch.open_as(copy.connection, name, [])
            server.durable()
            acquired = _acquired(server, source.at(name), copy)
            yield acquired
    acquired.dropped = True


def _wanted(request: CopyRequest) -> Demo:
    if request.config.demo is None:
        raise GreenroomError(
            "there is no data to rehearse on: this project configures no demo.",
            "Give --dump FILE or --url postgresql://..., or write [tool.greenroom.demo] into pyproject.toml.",
        )
    return request.config.demo


def _name(request: CopyRequest) -> str:
    directory = (request.config.root / request.project.directory).resolve().name
    return re.sub(r"\W+", "_", directory.lower()).strip("_")[:30] or "demo"


def _database(server: Server, name: str) -> Address:
    """A database that belongs to an ordinary role of its own."""
    role = f"{name}_owner"
    with connect(server.address) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        password = roles.let_in(connection, role, ())
        words = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(role))
        connection.execute(words)
    return server.address.at(name).as_role(role, password)


def _fill(request: CopyRequest, wanted: Demo, source: Address, progress: Progress) -> None:
    directory = (request.config.root / request.project.directory).resolve()
    environment = {**request.project.environment, **environment_of(request.project, source, tls=False)}
    if request.project.settings:
        environment["DJANGO_SETTINGS_MODULE"] = request.project.settings
    python = interpreter(request.project, directory)
    progress.step(f"migrating to the demo's earlier state, {wanted.migrate_to[-1]}")
    _call(
        python, [["migrate", "--no-input", *target.split(".")] for target in wanted.migrate_to], directory, environment
    )
    progress.step(f"writing demo data: {' '.join(wanted.load)}")
    _call(python, [wanted.load], directory, environment)


def _call(python: str, commands: list[list[str]], directory: Path, environment: dict[str, str]) -> None:
    """Management commands, one after the other in one process: starting Django takes as long as a small migration."""
    shell.run([python, "-c", _CALLS, json.dumps(commands)], cwd=directory, env=environment)


def _acquired(server: Server, address: Address, copy: Held) -> Acquired:
    with connect(address) as connection:
        here = facts(connection)
    return Acquired(
        kind="demo",
        method="template",
        name=address.database,
        label=server.label,
        address=address,
        admin=server.address.at(address.database),
        lease_id=copy.lease.id,
        facts=here,
        own_server=True,
        held=copy,
        notes=["demo data: its amount and shape are not those of a real database"],
        size_bytes=here.size_bytes,
    )
