"""Predicted against real: the stalls that a rehearsal measured on a copy, and those that a load on the source suffers.

Ten migrations of tests/hazards. Each is rehearsed on a copy of the shop; then the same migration runs on the shop
itself, while pgbench reads and writes the table at a limited rate. The load's longest transaction is what its clients
suffered: with --rate, pgbench counts from the moment when a transaction was due. The rates are such that somebody comes
within a few milliseconds of a lock's beginning, and that the load takes at most a fifth of a processor, which is
measured before each migration.
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
from statistics import median

import psycopg
from psycopg import sql

from greenroom.config import Config, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server, embedded
from greenroom.rehearsal.document import Budget
from greenroom.rehearsal.hazards import CATALOGUE
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.bench.scene import url
from tests.hazards import harness

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "prediction.md"
TIMES = 4  # of the harness's rows: stalls long enough to tell a fifth of them
CLIENTS = 2
READS_PER_SECOND, WRITES_PER_SECOND = 300, 150
MOST_OF_A_PROCESSOR = 0.2
SHARE, LEAST_MS = 0.2, 50.0
RUNS = 3

HAZARDS = ("H01", "H03", "H08", "H10", "H11", "H13", "H15", "H17", "H20", "H24")
COLUMNS = {"shop_customer": "name", "shop_product": "stock", "shop_order": "status", "shop_orderline": "quantity"}


@dataclass(frozen=True)
class Stalls:
    """The longest waits of a reader and of a writer, in milliseconds."""

    read: float
    write: float
    load: float = 0.0  # of a processor, that the clients and their sessions took


@dataclass(frozen=True)
class Row:
    """A migration: what was rehearsed and what was felt."""

    hazard: str
    table: str
    rehearsed: Stalls
    real: Stalls

    @property
    def held(self) -> bool:
        """Whether the prediction is close enough, and the load was light."""
        pairs = ((self.rehearsed.read, self.real.read), (self.rehearsed.write, self.real.write))
        close = all(abs(expected - felt) <= max(SHARE * felt, LEAST_MS) for expected, felt in pairs)
        return close and self.real.load <= MOST_OF_A_PROCESSOR

    def __str__(self) -> str:
        times = (self.rehearsed.read, self.real.read, self.rehearsed.write, self.real.write)
        cells = [self.hazard, CATALOGUE[self.hazard].name, self.table, *(f"{ms:.0f} ms" for ms in times)]
        return f"| {' | '.join(cells)} | {self.real.load:.2f} | {'within' if self.held else '**not within**'} |"


@dataclass(frozen=True)
class Load:
    """A pgbench that runs, and how its logs' names begin."""

    process: int
    prefix: Path


def run() -> bool:
    """Write docs/prediction.md; true when every prediction holds."""
    with tempfile.TemporaryDirectory() as place, _source(Path(place)) as (server, source):
        rows = []
        for hazard in HAZARDS:
            rows.append(_row(server, source, Path(place) / hazard, hazard))
            print(rows[-1], flush=True)
    held = sum(row.held for row in rows)
    PAGE.write_text("\n".join([*_head(), *map(str, rows), "", _sum(rows), ""]), encoding="utf-8")
    print(f"{_sum(rows)}\nwritten: {PAGE.relative_to(ROOT)}")
    return held == len(rows)


def _sum(rows: list[Row]) -> str:
    return (
        f"{sum(row.held for row in rows)} of {len(rows)} within {SHARE:.0%} or {LEAST_MS:.0f} ms, whichever is larger."
    )


def _head() -> list[str]:
    return [
        "# Predicted against real",
        "",
        "The stalls that a rehearsal measured on a copy, and those that clients of the source then suffered from the",
        f"same migration: the bad one of ten rows of the catalogue, PostgreSQL 18, {harness.ROWS:,} rows a table,",
        f"the middle of {RUNS} runs each. The source bears a load of pgbench meanwhile ({READS_PER_SECOND} reads and",
        f"{WRITES_PER_SECOND} updates a second of random rows of that table, each client's wait counted from when its",
        "transaction was due). *load* is the most of a processor that it took, before the migration: at most"
        f" {MOST_OF_A_PROCESSOR:.1f} is",
        "allowed, so that the two do not fight for processors. `./inv bench --suite prediction` writes this page anew.",
        "",
        "| hazard | what | table | readers: rehearsed | real | writers: rehearsed | real | load | |",
        "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]


@contextmanager
def _source(place: Path) -> Iterator[tuple[Server, Address]]:
    with embedded() as server:
        server.durable()
        harness.ROWS = harness.ROWS * TIMES
        with harness.shop(server, place / "shop") as source:
            yield server, source


def _row(server: Server, source: Address, place: Path, hazard: str) -> Row:
    """The table is the one whose clients would wait longest."""
    place.mkdir()
    example = next(path for path in harness.bad() if path.parent.name == hazard)
    project = harness.write_project(place / "project", [example])
    rehearsed = [_rehearsed(source, project) for _ in range(RUNS)]
    table = max(rehearsed[0], key=lambda name: max(rehearsed[0][name].read, rehearsed[0][name].write))
    predicted = [found.get(table, Stalls(0.0, 0.0)) for found in rehearsed]
    real = [_suffered(server, source, project, table) for _ in range(RUNS)]
    return Row(hazard, table, _middle(predicted), _middle(real))


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
    read, write = f"SELECT * FROM {table} WHERE id = :id", f"UPDATE {table} SET {column} = {column} WHERE id = :id"
    with (
        _pgbench(server, address, project, "read", read, READS_PER_SECOND) as readers,
        _pgbench(server, address, project, "write", write, WRITES_PER_SECOND) as writers,
    ):
        time.sleep(0.5)  # connections are made
        share = _share_of_a_processor(address, [readers.process, writers.process])
        began = time.time()
        environment = {**os.environ, **address.environment, "DJANGO_SETTINGS_MODULE": "shop_settings"}
        subprocess.run([sys.executable, "-c", harness.MIGRATE], cwd=project, env=environment, check=True)
        ended = time.time()
        time.sleep(0.3)
    return Stalls(_longest(readers.prefix, began, ended), _longest(writers.prefix, began, ended), share)


@contextmanager
def _pgbench(server: Server, address: Address, project: Path, kind: str, statement: str, rate: int) -> Iterator[Load]:
    """So many transactions a second."""
    script = project / f"{kind}.sql"
    script.write_text(f"\\set id random(1, {harness.ROWS})\n{statement};\n")
    prefix = project / f"{kind}-{time.monotonic_ns()}"
    words = [server.binaries.program("pgbench"), "--no-vacuum", f"--file={script}", f"--client={CLIENTS}"]
    words += [f"--rate={rate}", "--time=600", "--log", f"--log-prefix={prefix}"]
    environment = {"PATH": "/usr/bin:/bin", **address.environment}
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
        try:
            yield Load(load.pid, prefix)
        finally:
            load.send_signal(signal.SIGALRM)  # its own end of --time: the log is written out
            load.wait(60)


def _share_of_a_processor(address: Address, clients: list[int]) -> float:
    """What pgbench and the sessions that serve it take, over a second."""
    with psycopg.connect(**address.parameters, autocommit=True) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench'").fetchall()
    busy = [*clients, *(pid for (pid,) in found)]
    before, began = sum(map(_processor_seconds, busy)), time.monotonic()
    time.sleep(1.0)
    return (sum(map(_processor_seconds, busy)) - before) / (time.monotonic() - began)


def _processor_seconds(pid: int) -> float:
    """User's and system's, of all threads (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _longest(prefix: Path, began: float, ended: float) -> float:
    """Milliseconds of the longest transaction that ended while the migration ran, or just after it."""
    longest = 0.0
    for file in prefix.parent.glob(f"{prefix.name}.*"):
        for line in file.read_text().splitlines():
            parts = line.split()
            if len(parts) >= 6 and began <= int(parts[4]) + int(parts[5]) / 1e6 <= ended + 0.3:
                longest = max(longest, int(parts[2]) / 1000)
    return longest


def _middle(runs: list[Stalls]) -> Stalls:
    """Of each figure; of the load the most."""
    return Stalls(median(s.read for s in runs), median(s.write for s in runs), max(s.load for s in runs))
