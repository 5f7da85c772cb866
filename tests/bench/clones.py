"""Clones of snapshots: where files share their blocks, where they do not, and a second rehearsal of one dump."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from greenroom import places
from greenroom.postgres import snapshot_place, snapshots
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect, facts
from greenroom.postgres.snapshots import Contents, Key, Snapshot
from tests.bench.figures import at_most, compare
from tests.bench.scene import PROJECT, scene
from tests.integration.reflink import NotHere, reflinking

ROOT = Path(__file__).parents[2]
RUNS = 3
TABLES = 8
ROWS_OF_A_GIGABYTE = 900_000  # of about 1 kB, with their index
DISK_BYTES = 16 << 30  # a sparse file
SETTINGS = {"work_mem": "8MB", "TimeZone": "Europe/Berlin"}


class Times(NamedTuple):
    """Seconds until there is a clone; until a server on one answers; until that is durable and answers again."""

    cloned: float
    answered: float
    durable: float


def run() -> bool:
    """Print the figures; true when every one is reached."""
    reached = [_plain()]
    try:
        with reflinking(DISK_BYTES) as disk, _scratch(disk):
            reached += [_shared(1), _shared(4), _second_rehearsal(disk)]
    except NotHere as error:
        print(f"no figures of a disk with reflink: {error}")
        reached.append(False)
    return all(reached)


def _plain() -> bool:
    """On the disk that is here, against cp, in turn."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as disk, _scratch(Path(disk)):
        snapshot = _stored(1)
        ours, theirs = [], []
        for _ in range(RUNS):
            ours.append(_cloned(snapshot))
            theirs.append(_copied(snapshot.data))
        what = f"1 GB, {_kind_of(Path(disk))}: a clone against cp"
        reached = compare(what, [times.cloned for times in ours], theirs, 1.2)
        print(f"  until a server answers on it: {median(times.answered for times in ours):.3f} s")
        return reached


def _shared(gigabytes: int) -> bool:
    """On a disk where files share their blocks."""
    snapshot = _stored(gigabytes)
    try:
        runs = [_cloned(snapshot) for _ in range(RUNS)]
        what = f"{gigabytes} GB ({snapshot.size_bytes / 1e9:.2f}), reflink:"
        cloned = at_most(f"{what} a clone", [times.cloned for times in runs], 0.2, "s")
        print(f"  until a server answers on it: {median(times.answered for times in runs):.3f} s")
        return at_most(f"{what} a durable server on a clone", [times.durable for times in runs], 1.5, "s") and cloned
    finally:
        snapshots.remove(snapshot)


def _second_rehearsal(disk: Path) -> bool:
    """`./inv migrate-rehearse --dump` on a dump that was rehearsed before: all of it but the migration."""
    dump = disk / "demo.dump"
    _dumped(dump)
    _rehearsed(dump, disk)
    seconds = [_rehearsed(dump, disk, "--drills", "none") for _ in range(RUNS)]
    with_drills = [_rehearsed(dump, disk) for _ in range(RUNS)]
    print(f"  with the drills that are held by default: {median(with_drills):.3f} s")
    return at_most("second rehearsal of a dump, reflink, without migration and drills", seconds, 1.5, "s")


def _stored(gigabytes: int) -> Snapshot:
    with embedded() as server:
        _fill(server, gigabytes)
        with connect(server.address.at("bench")) as connection:
            contents = Contents("bench", "bench", facts(connection))
        stored = snapshots.store(server, Key("bench", "bench", f"{gigabytes}"), contents, limit_gb=100)
    assert stored.snapshot, stored.told
    return stored.snapshot


def _fill(server: Server, gigabytes: int) -> None:
    with connect(server.address) as connection:
        connection.execute("CREATE DATABASE bench")
    rows = ROWS_OF_A_GIGABYTE * gigabytes // TABLES
    with connect(server.address.at("bench")) as connection:
        for number in range(TABLES):
            text = "SELECT n AS id, repeat(md5(n::text), 32) AS text FROM generate_series(1, %s) n"
            connection.execute(f"CREATE TABLE wide_{number} AS {text}".encode(), [rows])
            connection.execute(f"ALTER TABLE wide_{number} ADD PRIMARY KEY (id)".encode())


def _cloned(snapshot: Snapshot) -> Times:
    """The clone alone, and then another one with its server."""
    with snapshot_place.making() as place:
        start = time.perf_counter()
        snapshot_place.clone(snapshot.data, place / "data")
        cloned = time.perf_counter() - start
    start = time.perf_counter()
    with snapshots.cloned(snapshot) as server:
        answered = time.perf_counter() - start
        server.durable(SETTINGS)
        with connect(server.address.at("bench")) as connection:
            connection.execute("SELECT 1")
        return Times(cloned, answered, time.perf_counter() - start)


def _copied(data: Path) -> float:
    """Seconds that cp takes for the same bytes, in the same place."""
    into = places.scratch() / "cp"
    start = time.perf_counter()
    subprocess.run(["cp", "-R", "--reflink=never", data, into], check=True)
    seconds = time.perf_counter() - start
    shutil.rmtree(into)
    return seconds


def _dumped(dump: Path) -> None:
    with scene() as made:
        words = [made.server.binaries.program("pg_dump"), "-Fc", "-f", dump, f"--dbname={made.source.conninfo}"]
        subprocess.run(words, env={"PATH": "/usr/bin:/bin", **made.source.password_environment}, check=True)


def _rehearsed(dump: Path, reports: Path, *words: str) -> float:
    """Seconds of the whole command, without those of the migration that it watched."""
    command = [ROOT / "inv", "migrate-rehearse", "--project", PROJECT, "--settings", "bench_settings"]
    command += ["--python", sys.executable, "--migrate-to", "bench.0002_long"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--dump", dump, "--report-dir", reports, *words], cwd=ROOT, capture_output=True, check=False
    )
    seconds = time.perf_counter() - start
    assert done.returncode in (0, 1), done.stderr.decode()
    rehearsal = json.loads((reports / "latest" / "rehearsal.json").read_text())
    print(f"  copied by {rehearsal['copy']['method']}, ready after {rehearsal['copy']['seconds']:.2f} s", flush=True)
    return seconds - float(rehearsal["totals"]["seconds"])


@contextmanager
def _scratch(disk: Path) -> Iterator[None]:
    """Servers and snapshots lie on that disk meanwhile."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(disk)
    try:
        yield
    finally:
        os.environ.pop("TMPDIR")
        if before is not None:
            os.environ["TMPDIR"] = before


def _kind_of(place: Path) -> str:
    """ext4, tmpfs, ... as the kernel calls it."""
    done = subprocess.run(["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=True)
    return done.stdout.strip()
