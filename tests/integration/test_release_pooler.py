"""The program that migrates, behind a pooler that lends a server connection for one transaction: PgBouncer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.projects import PASSWORD, shop, write_project
from tests.integration.release_program import NOTE, SLOW, Program, until
from tests.integration.test_release_inside import ALL, LOCK, TOLD

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIGURATION = """
[databases]
{name} = host={host} port={port} dbname={name} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = options, extra_float_digits
"""

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer on this machine")


@contextmanager
def pooler(behind: Address, directory: Path) -> Iterator[Address]:
    """In front of a database. It runs as nobody where we are root: it refuses to be root."""
    assert PGBOUNCER
    with socket.create_server(("127.0.0.1", 0)) as free:
        file, listen = directory / "pgbouncer.ini", free.getsockname()[1]
    host, port, name, user = behind.host, behind.port, behind.database, behind.user
    file.write_text(CONFIGURATION.format(name=name, host=host, port=port, user=user, password=PASSWORD, listen=listen))
    words = [PGBOUNCER, "-q", *(("-u", "nobody") if os.geteuid() == 0 else ()), str(file)]
    started = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", listen), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline and started.poll() is None, "pgbouncer does not come up"
                time.sleep(0.05)
        yield replace(behind, host="127.0.0.1", port=listen)
    finally:
        started.terminate()
        started.wait()


@pytest.fixture
def program(server18: Server, tmp_path: Path) -> Iterator[Program]:
    """Pooled; what the test itself asks, it asks the server."""
    project = write_project(tmp_path / "project", NOTE, SLOW)
    (project / "told.py").write_text(TOLD)
    with (
        shop(server18, tmp_path / "initial", rows=10, name="pooled_release") as direct,
        pooler(direct, tmp_path) as pooled,
    ):
        made = Pooled(project, pooled, direct)
        yield made
        made.end()


class Pooled(Program):
    def __init__(self, project: Path, pooled: Address, direct: Address) -> None:
        super().__init__(project, pooled)
        self.direct = direct

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(**self.direct.parameters, autocommit=True)


GRANTED = f"SELECT count(*) FROM pg_locks WHERE {LOCK}"


def test_two_at_once_migrate_once_and_no_lock_stays_behind(program: Program) -> None:
    """A lock of the session would be the pooler's, and so the second one's as well."""
    with program.in_the_middle() as first:
        for _ in range(3):
            assert program.run("any") == (4, ["Another process is migrating this database."])
    assert first.wait(timeout=60) == 0
    assert program.applied() == ALL
    until(program, GRANTED, 0)
    assert program.run()[0] == 0, "nothing is pending, and nobody holds the lock"


def test_one_that_was_killed_leaves_no_lock(program: Program) -> None:
    with program.in_the_middle() as killed:
        killed.kill()
        killed.wait()
        until(program, GRANTED, 0)
    assert program.applied() == ALL[:2]
    assert program.run("any")[0] == 0
    assert program.applied() == ALL
