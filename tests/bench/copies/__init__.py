"""Real copies of real data: a LOCAL copy of a database against what else makes one, and a dump over SSH.

- `source`   the database that is copied: pgbench's tables and a hundred wide ones, the same bytes at each run
- `sides`    the plain script, pgcopydb and our copier, each from the same server into one of its own
- `dumps`    the dump over SSH, ours and OpenSSH's

All sides use the programs of one PostgreSQL. Ours is counted from nothing to a copy that is ready: a server that is
started for it, the rows, statistics, and the server's restart with the source's settings. pgcopydb has the same server,
with the same tuning, start and restart. The script has a server that runs and an empty database before its clock
starts, and ends with psql: its copy has no statistics, and what those take is told beside it. No clock counts initdb:
ours is done once a machine. All copies of a row lie on the disk until its end: nine times the database.
BENCH_COPIES_MB=1000 leaves out the database of 4 GB.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import psycopg

from greenroom.postgres import catalog
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.server import connect
from tests.bench.copies import dumps, sides, source
from tests.bench.copies.sides import Copy, Side
from tests.bench.copies.source import Source
from tests.bench.figures import compare
from tests.integration.everything import rows, sequences

MAJOR = 15  # Debian's, which its pgcopydb goes with
AGAINST_PGCOPYDB, SMALL_AGAINST_SCRIPT = 0.80, 0.90


@dataclass(frozen=True)
class Extent:
    """Sizes of the databases in MB, each with the most of the script's time that a big one's copy may take."""

    big: Mapping[int, float] = field(default_factory=lambda: {1000: 0.50, 4000: 0.42})
    small: int = 65
    tables: int = 110
    runs: int = 3


def run(extent: Extent | None = None) -> bool:
    """Print the figures; true when every one is reached."""
    extent = extent or _asked()
    programs = of_major(MAJOR)
    reached = []
    with tempfile.TemporaryDirectory(prefix="copies-", dir="/var/tmp") as place:
        scratch = Path(place)
        plain, ours, pgcopydb = sides.Script(programs, scratch), sides.Ours(), sides.Pgcopydb(programs, scratch)
        with source.made(programs, extent.small, extent.tables) as database:
            made = in_turn(database, [plain, ours], extent.runs)
            reached.append(_judged(database, ours, plain, made, SMALL_AGAINST_SCRIPT))
        for size, reach in extent.big.items():
            with source.made(programs, size, extent.tables) as database:
                there = [pgcopydb] if pgcopydb.is_here() else []
                made = in_turn(database, [plain, *there, ours], extent.runs)
                reached.append(_judged(database, ours, plain, made, reach))
                reached.append(_judged(database, ours, pgcopydb, made, AGAINST_PGCOPYDB))
                if size == min(extent.big):
                    reached.append(dumps.compared(database, programs, scratch, extent.runs))
    return all(reached)


def _asked() -> Extent:
    """All, or only those big ones that BENCH_COPIES_MB names."""
    every = Extent()
    wanted = {int(size) for size in os.environ.get("BENCH_COPIES_MB", "").split()}
    return replace(every, big={size: reach for size, reach in every.big.items() if size in wanted or not wanted})


Times = dict[str, list[Copy]]


def in_turn(database: Source, all_sides: Sequence[Side], runs: int) -> Times:
    """The copies of each side; every one is compared with the source, the first of each row by row."""
    print(f"{database.label}; load of the machine {os.getloadavg()[0]:.1f}", flush=True)
    made: Times = {side.name: [] for side in all_sides}
    with sides.removed_later():
        for number in range(runs):
            whole = told(database.address, values=number == 0)
            for side in all_sides:
                os.sync()  # what the last one left is not written in this one's time
                with side.copied(database.address) as copy:
                    assert told(copy.address, values=number == 0) == whole, f"{side.name}: its copy is another database"
                made[side.name].append(copy)
                print(f"  {side.name}: {copy.seconds:.2f} s ({copy.parts})", flush=True)
    return made


def _judged(database: Source, ours: Side, theirs: Side, made: Times, reach: float) -> bool:
    what = f"{database.label}: {ours.name} against {theirs.name}"
    if theirs.name not in made:
        print(f"{what}: it is not installed here, so nothing is compared: NOT reached")
        return False
    seconds = [copy.seconds for copy in made[ours.name]]
    reached = compare(what, seconds, [copy.seconds for copy in made[theirs.name]], reach)
    if any(copy.statistics_seconds for copy in made[theirs.name]):
        longer = median(copy.seconds + copy.statistics_seconds for copy in made[theirs.name])
        print(f"  with VACUUM and ANALYZE, as ours: {longer:.3f} s: ratio {median(seconds) / longer:.3f}")
    return reached


def told(address: Address, *, values: bool) -> tuple[object, ...]:
    """What all copies have in common: schema, sequences, and each table's rows, by number or with `values` in full."""
    with connect(address) as connection:
        counted = rows(connection) if values else counts(connection)
        return catalog.digest(catalog.ungranted(catalog.read(connection))), counted, sequences(connection)


def counts(connection: psycopg.Connection) -> dict[str, object]:
    """Number of each table's rows."""
    names = connection.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    return {name: connection.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() for (name,) in names}
