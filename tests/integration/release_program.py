"""The program of the one-off task, started as ECS does it, for the tests that hold it still in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from greenroom.postgres.address import Address
from greenroom.release import migrating
from tests.integration.projects import write_project

NOTE = "migrations.AddField('Customer', 'name', models.TextField(null=True))"
SECOND = "migrations.AddField('Customer', 'city', models.TextField(null=True))"
HELD = 7  # a lock that a test holds, so that the second migration waits for as long as it wants
SLOW = f"migrations.RunSQL('SELECT pg_advisory_xact_lock({HELD})'), " + SECOND
WAITS = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {HELD} AND NOT granted"


class Program:
    """The program of the one-off task, in a project, on a database."""

    def __init__(self, project: Path, source: Address) -> None:
        self.project, self.source = project, source
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *plans: str, before: str = "") -> subprocess.Popen[str]:
        words = migrating.command(sys.executable, list(plans))
        words[2] = before + words[2]
        environment = {**os.environ, **self.source.environment, "DJANGO_SETTINGS_MODULE": "told"}
        self.started.append(
            subprocess.Popen(
                words, cwd=self.project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
        return self.started[-1]

    @contextmanager
    def in_the_middle(self) -> Iterator[subprocess.Popen[str]]:
        """One that has migrated the first and is in the second, until the end of the block."""
        write_project(self.project, NOTE, SLOW)
        with self.connect() as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", [HELD])
            running = self.start("any")
            until(self, WAITS, 1)
            yield running

    def end(self) -> None:
        """Whatever of it still runs."""
        for started in self.started:
            with started:
                started.kill()

    def run(self, *plans: str, before: str = "") -> tuple[int, list[str]]:
        """Its exit code, and the lines that are its own."""
        with self.start(*plans, before=before) as started:
            output = started.communicate(timeout=60)[0]
        assert "Traceback" not in output, output
        ours = [line.removeprefix("greenroom: ") for line in output.splitlines() if line.startswith("greenroom: ")]
        return started.returncode, ours

    def plan(self) -> str:
        """Its fingerprint, from a run that is let to do nothing."""
        code, said = self.run("0" * 64)
        assert code == 3, said
        return said[0].rpartition(" plan ")[2].rstrip(".")

    def applied(self) -> list[str]:
        with self.connect() as connection:
            found = connection.execute("SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY id").fetchall()
        return [name for (name,) in found]

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(**self.source.parameters, autocommit=True)


def until(program: Program, query: str, count: int) -> None:
    """Until so many are counted."""
    deadline = time.monotonic() + 60
    with program.connect() as connection:
        while connection.execute(query).fetchone() != (count,):  # type: ignore[call-overload]
            assert time.monotonic() < deadline, query
            time.sleep(0.05)
