"""Copies that stand on a server, made for a test, and `db-list`, `db-drop` and `db-reap` as a person types them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from psycopg import sql

from greenroom.postgres import lease
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect
from tests.integration.shop import PLANTED, Shop

ROOT = Path(__file__).parents[2]
NO_ENGINE = "unix:///nonexistent/docker.sock"  # other tests have containers meanwhile


def inv(*words: str, password: str = PLANTED, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "greenroom", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PGPASSWORD": password, "DOCKER_HOST": NO_ENGINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def stands(source: Shop, name: str) -> bool:
    with connect(source.server.address) as admin:
        row = admin.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name]).fetchone()
    return row == (True,)


def made(source: Shop, name: str, terms: Lease | None) -> str:
    with connect(source.address) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if terms:
            lease.grant(connection, name, terms)
    return name


def terms(hours: float = 1, **how: object) -> Lease:
    return replace(Lease.new(branch="fix", source="shop", hours=hours), **how)  # type: ignore[arg-type]


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def states(printed: str) -> dict[str, str]:
    """Name to state, of the table."""
    lines = [re.split(r"  +", line) for line in printed.splitlines()]
    return {cells[0]: cells[-1] for cells in lines[1:] if len(cells) > 2}


def configured(source: Shop, place: Path, *lines: str) -> Path:
    """A project whose target `staging` is the source."""
    address = source.address
    shutil.copy(ROOT / "tasks.py", place)
    (place / "pyproject.toml").write_text(
        f"""
[tool.greenroom.databases.staging]
host = "{address.host}"
port = {address.port}
name = "{address.database}"
user = "{address.user}"
password_variable = "STAGING_PASSWORD"
"""
        + "\n".join(lines)
    )
    return place
