"""A network of the test's own: dev - bastion - db, each a namespace, where only the bastion reaches both.

    dev 10.231.1.1 --- 10.231.1.2 bastion 10.231.2.1 --- 10.231.2.2 db

Nothing is added to the machine's own network. `inside` takes the calling thread there (and what it starts), so the code
under test runs in dev without knowing it.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from greenroom.postgres.account import account, dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.secret import Secret

DEV, BASTION, DB = "dev", "bast", "db"
CLONE_NEWNET = 0x40000000
START_SECONDS = 20.0


@dataclass(frozen=True)
class Network:
    """Its namespaces are `NAME-dev` and so on."""

    name: str
    bastion_address: str = "10.231.1.2"
    database_address: str = "10.231.2.2"

    def prefix(self, place: str) -> list[str]:
        """Words before a program that runs there."""
        return ["ip", "netns", "exec", f"{self.name}-{place}"]

    @contextmanager
    def inside(self, place: str = DEV) -> Iterator[None]:
        """The calling thread is there until the block ends; so are threads and processes that it starts."""
        with Path("/proc/thread-self/ns/net").open() as before, Path(f"/run/netns/{self.name}-{place}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def limit(self, rate: str | None) -> None:
        """What the bastion sends to dev is no faster than `20mbit`; None: as fast as it can."""
        words = ["tc", "qdisc"]
        device = ["dev", "vbast1", "root"]
        if rate is None:
            _run(*self.prefix(BASTION), *words, "del", *device)
        else:
            _run(
                *self.prefix(BASTION),
                *words,
                "replace",
                *device,
                "tbf",
                "rate",
                rate,
                "burst",
                "64kb",
                "latency",
                "50ms",
            )

    def unplug(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        _run("ip", "-n", f"{self.name}-{BASTION}", "link", "set", "vbast1", "down")

    def plug(self) -> None:
        """As before."""
        _run("ip", "-n", f"{self.name}-{BASTION}", "link", "set", "vbast1", "up")


@contextmanager
def network() -> Iterator[Network]:
    """Made anew. Needs root and iproute2."""
    made = Network(f"gr{secrets.token_hex(3)}")
    dev, bastion, db = (f"{made.name}-{place}" for place in (DEV, BASTION, DB))
    with ExitStack() as ends:
        for namespace in (dev, bastion, db):
            _run("ip", "netns", "add", namespace)
            ends.callback(_run, "ip", "netns", "del", namespace)
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
        _run("ip", "link", "add", "vdev", "netns", dev, "type", "veth", "peer", "name", "vbast1", "netns", bastion)
        _run("ip", "link", "add", "vbast2", "netns", bastion, "type", "veth", "peer", "name", "vdb", "netns", db)
        for namespace, device, address in (
            (dev, "vdev", "10.231.1.1"),
            (bastion, "vbast1", made.bastion_address),
            (bastion, "vbast2", "10.231.2.1"),
            (db, "vdb", made.database_address),
        ):
            _run("ip", "-n", namespace, "addr", "add", f"{address}/30", "dev", device)
            _run("ip", "-n", namespace, "link", "set", device, "up")
        # The way to db leads to the bastion, which does not forward: a new namespace takes over the machine's 1.
        _run("ip", "-n", dev, "route", "add", "10.231.2.0/30", "via", made.bastion_address)
        _run(*made.prefix(BASTION), "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")
        yield made


@contextmanager
def database(made: Network, binaries: Binaries, directory: Path) -> Iterator[Address]:
    """PostgreSQL in db, which takes connections from the bastion only. The address is its superuser's."""
    runs_as, password = account(), Secret(secrets.token_hex(12))
    programs = runs_as.readable(binaries)
    data = directory / "pgdata"
    data.mkdir(parents=True, mode=0o700)
    runs_as.own(data)
    (directory / "pw").write_text(password.reveal())
    initdb = [programs.program("initdb"), "-D", data, "-U", "postgres", "-N", "-E", "UTF8", "--locale=C"]
    _run(*runs_as.prefix, *initdb, "--auth=scram-sha-256", f"--pwfile={directory / 'pw'}")
    (data / "pg_hba.conf").write_text("host all all 10.231.2.1/32 scram-sha-256\n")
    settings = {"listen_addresses": made.database_address, "unix_socket_directories": "", "fsync": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    words = [*made.prefix(DB), *runs_as.prefix, *dies_with_us(), programs.program("postgres"), "-D", data, *options]
    with (directory / "pg.log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address = Address(made.database_address, 5432, "postgres", "postgres", password)
    try:
        _answers(made, address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _answers(made: Network, address: Address) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with (
                made.inside(BASTION),
                psycopg.connect(address.conninfo, password=address.password.reveal() if address.password else None),
            ):
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _enter(namespace: int) -> None:
    """os.setns comes with Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)
