"""Predicted against real: the stalls that a rehearsal measured on a copy, and those that a load on the source suffers.

Ten migrations of tests/hazards. Each is rehearsed on a copy of the shop; then the same migration runs on the shop
itself, while pgbench reads and writes the table at a low, limited rate. The load's longest transaction is what its
clients suffered: with --rate, pgbench counts from the moment when a transaction was due.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
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
from greenroom.rehearsal.document import Budget
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.bench.scene import url
from tests.hazards import harness

TIMES = 4  # of the harness's rows: stalls long enough to tell a fifth of them
CLIENTS = 2
SHARE, LEAST_MS = 0.2, 50.0
RUNS = 3

HAZARDS = ("H01", "H03", "H08", "H10", "H11", "H13", "H15", "H17", "H20", "H24")
COLUMNS = {"shop_customer": "name", "shop_product": "stock", "shop_order": "status", "shop_orderline": "quantity"}


@dataclass(frozen=True)
class Stalls:
    """The longest waits of a reader and of a writer, in milliseconds."""

    read: float
    write: float


def run() -> bool:
    """Print a row for each migration; true when every prediction holds."""
    print("| hazard | table | readers: rehearsed | real | writers: rehearsed | real | |")
    print("|---|---|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory() as place, _source(Path(place)) as (server, source):
        held = [_row(server, source, Path(place) / hazard, hazard) for hazard in HAZARDS]
    print(f"{sum(held)} of {len(held)} within {SHARE:.0%} or {LEAST_MS:.0f} ms, whichever is larger")
    return all(held)


@contextmanager
def _source(place: Path) -> Iterator[tuple[Server, Address]]:
    with embedded() as server:
        server.durable()
        harness.ROWS = harness.ROWS * TIMES
        with harness.shop(server, place / "shop") as source:
            yield server, source


def _row(server: Server, source: Address, place: Path, hazard: str) -> bool:
    """The table is the one whose clients would wait longest."""
    place.mkdir()
    project = harness.write_project(place / "project", harness.bad(hazard))
    rehearsed = [_rehearsed(source, project) for _ in range(RUNS)]
    table = max(rehearsed[0], key=lambda name: max(rehearsed[0][name].read, rehearsed[0][name].write))
    predicted = [found.get(table, Stalls(0.0, 0.0)) for found in rehearsed]
    real = [_suffered(server, source, project, table) for _ in range(RUNS)]
    pairs = [
        (_middle([stalls.read for stalls in predicted]), _middle([stalls.read for stalls in real])),
        (_middle([stalls.write for stalls in predicted]), _middle([stalls.write for stalls in real])),
    ]
    held = all(abs(expected - felt) <= max(SHARE * felt, LEAST_MS) for expected, felt in pairs)
    cells = " | ".join(f"{ms:.0f} ms" for pair in pairs for ms in pair)
    print(f"| {hazard} | {table} | {cells} | {'within' if held else 'NOT within'} |", flush=True)
    return held


def _rehearsed(source: Address, project: Path) -> dict[str, Stalls]:
    """What the rehearsal says of each table of the shop."""
    facts = Project(directory=project, settings="shop_settings", python=sys.executable)
    config = Config(root=project, project=facts)
    copy = CopyRequest(config=config, project=facts, url=url(source), template=True, branch="bench")
    budget = Budget(read_ms=1000, write_ms=1000, timeout_seconds=300)
    rehearsal = rehearse(Request(config, facts, copy, budget=budget, drills=()), Silent())
    assert rehearsal.error is None, rehearsal.error
    return {stall.table: Stalls(stall.read_ms, stall.write_ms) for stall in rehearsal.stalls if stall.table in COLUMNS}


def _suffered(server: Server, source: Address, project: Path, table: str) -> Stalls:
    """On a database like the source, under load; it goes afterwards, so that each run starts from the same state."""
    name = "prediction"
    with psycopg.connect(**server.address.parameters, autocommit=True) as admin:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(source.database), sql.Identifier(source.user)
        )
        admin.execute(made)
        try:
            address = source.at(name)
            with psycopg.connect(**address.parameters, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            return _under_load(server, address, project, table)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _under_load(server: Server, address: Address, project: Path, table: str) -> Stalls:
    column = COLUMNS[table]
    write = f"UPDATE {table} SET {column} = {column} WHERE id = :id"
    with (
        _pgbench(server, address, project, "read", f"SELECT * FROM {table} WHERE id = :id", 40) as readers,
        _pgbench(server, address, project, "write", write, 20) as writers,
    ):
        time.sleep(1.0)  # connections are made, caches are warm
        began = time.time()
        environment = {**os.environ, **address.environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}
        subprocess.run([sys.executable, "-c", harness.MIGRATE], cwd=project, env=environment, check=True)
        ended = time.time()
        time.sleep(0.3)
    return Stalls(_longest(readers, began, ended), _longest(writers, began, ended))


@contextmanager
def _pgbench(server: Server, address: Address, project: Path, kind: str, statement: str, rate: int) -> Iterator[Path]:
    """A load of so many transactions a second; the result is the prefix of its log."""
    script = project / f"{kind}.sql"
    script.write_text(f"\\set id random(1, {harness.ROWS})\n{statement};\n")
    prefix = project / f"{kind}-{time.monotonic_ns()}"
    words = [server.binaries.program("pgbench"), "--no-vacuum", f"--file={script}", f"--client={CLIENTS}"]
    words += [f"--rate={rate}", "--time=600", "--log", f"--log-prefix={prefix}"]
    environment = {"PATH": "/usr/bin:/bin", **address.environment}
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        try:
            yield prefix
        finally:
            load.send_signal(signal.SIGALRM)  # its own end of --time: the log is written out
            load.wait(60)


def _longest(prefix: Path, began: float, ended: float) -> float:
    """Milliseconds of the longest transaction that ended while the migration ran, or just after it."""
    longest = 0.0
    for file in prefix.parent.glob(f"{prefix.name}.*"):
        for line in file.read_text().splitlines():
            parts = line.split()
            if len(parts) >= 6 and began <= int(parts[4]) + int(parts[5]) / 1e6 <= ended + 0.3:
                longest = max(longest, int(parts[2]) / 1000)
    return longest


def _middle(figures: list[float]) -> float:
    return sorted(figures)[len(figures) // 2]
