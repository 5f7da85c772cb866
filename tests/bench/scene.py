"""The bench's scene: a server of our own, a database of eight tables, and its migrations watched and unwatched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.config import Config, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server, embedded
from greenroom.rehearsal.document import Rehearsal
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request

PROJECT = Path(__file__).parent / "project"
ROWS = 400_000


@dataclass(frozen=True)
class Scene:
    server: Server
    source: Address

    @contextmanager
    def copy(self, name: str, source: str = "bench") -> Iterator[Address]:
        """A clone for one unwatched run."""
        with psycopg.connect(**self.server.address.parameters, autocommit=True) as admin:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(source)))
            try:
                yield self.source.at(name)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def unwatched(self, name: str, target: str) -> float:
        """Seconds of `migrate` with nobody watching, on a clone."""
        with self.copy(name) as address:
            return migrate(address, target)

    def watched(self, target: str) -> Rehearsal:
        """The same, rehearsed."""
        project = Project(directory=PROJECT, settings="bench_settings", python=sys.executable)
        config = Config(root=PROJECT, project=project)
        source = CopyRequest(config=config, project=project, url=url(self.source), template=True, branch="bench")
        return rehearse(Request(config, project, source, ["bench." + target]), Silent())


def url(address: Address) -> str:
    """With its password: it goes into a request, not into an argv."""
    password = f":{address.password.reveal()}" if address.password else ""
    return f"postgresql://{address.user}{password}@{address.host}:{address.port}/{address.database}"


def migrate(address: Address, target: str) -> float:
    """Run plain.py; the seconds that its `migrate` took."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("plain.py"), "bench", target],
        cwd=PROJECT,
        env={**address.environment, "DJANGO_SETTINGS_MODULE": "bench_settings", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@contextmanager
def scene(*, already: str = "0001") -> Iterator[Scene]:
    """The server and the filled database, migrated up to `already`."""
    with embedded() as server:
        server.durable()
        source = server.address.at("bench")
        with psycopg.connect(**server.address.parameters, autocommit=True) as admin:
            admin.execute("CREATE DATABASE bench")
        migrate(source, already)
        with psycopg.connect(**source.parameters, autocommit=True) as connection:
            for n in range(8):
                connection.execute(
                    f"INSERT INTO bench_{n} (n, body) SELECT n, repeat('x', 40) FROM generate_series(1, {ROWS}) n"
                )
            connection.execute("VACUUM ANALYZE")
        yield Scene(server, source)
