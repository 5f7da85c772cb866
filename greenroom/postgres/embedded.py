"""A private PostgreSQL server that lives as long as the task: nothing of it stays, however the task ends."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.interrupts import shielded
from greenroom.postgres import cluster, phases
from greenroom.postgres.account import Account, account
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries, newest
from greenroom.postgres.postmaster import LOOPBACK, DidNotStart, Postmaster, free_port
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from greenroom.shell import Popen

PORT_ATTEMPTS = 3


@dataclass
class Server:
    """A server of our own. `address` is its superuser's, in the database postgres; `label` is for people."""

    address: Address
    version_num: int
    postmaster: Postmaster = field(repr=False)
    label: str = "embedded"
    kept: bool = False

    @property
    def local(self) -> Address:
        """The same by its private socket, where no password is asked for: the nearest for programs of ours."""
        return self.postmaster.local

    @property
    def binaries(self) -> Binaries:
        """The programs that it is made of."""
        return self.postmaster.binaries

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.postmaster.data

    @property
    def account(self) -> Account:
        """As whom it runs."""
        return self.postmaster.account

    @property
    def process(self) -> Popen[bytes]:
        """The running one: another after each start."""
        assert self.postmaster.process is not None
        return self.postmaster.process

    def durable(self, settings: Mapping[str, str] = {}) -> list[str]:
        """Start it anew, true: commits reach the disk, autovacuum runs, and the source's `settings` hold.

        Sessions on it end; it takes 0.2 s. Returns the names of the settings that do not hold here, because this server
        refuses them or this machine has not so much memory.
        """
        with connect(self.postmaster.local) as connection:
            taken = phases.taken_over(connection, settings)
        self.postmaster.rest()
        try:
            self._become({**phases.DURABLE, **taken.settings})
        except DidNotStart:
            if not taken.daring:
                raise
            self._become({**phases.DURABLE, **taken.harmless})
            return [*taken.told, *taken.daring]
        return taken.told

    @contextmanager
    def stopped(self) -> Iterator[Path]:
        """For as long as the block lasts it is cleanly shut down and its data directory at rest, whole without WAL.

        Sessions on it end; afterwards it is there again at the same address. Raises GreenroomError.
        """
        self.postmaster.rest()
        try:
            yield self.data
        finally:
            self.postmaster.start()

    def _become(self, settings: Mapping[str, str]) -> None:
        cluster.write_settings(self.data / cluster.PHASE, settings, self.account)
        self.postmaster.start()


@contextmanager
def embedded(
    *,
    binaries: Binaries | None = None,
    settings: Mapping[str, str] | None = None,
    tcp: bool = True,
    base: Path | None = None,
) -> Iterator[Server]:
    """A server for as long as the block lasts: a superuser with a random password, UTF-8, on loopback.

    It is set up for loading until `durable` is called. `settings` go over ours in both phases; without `tcp` it listens
    on its private socket only. `base` is a data directory at rest, of the same major version, to start from a clone of.
    Raises GreenroomError when it does not start.
    """
    runs_as = account()
    programs = runs_as.readable(binaries or newest())
    with cluster.private_directory() as directory:
        data = cluster.create(directory, programs, runs_as, settings or {}, base)
        server = _started(directory, data, programs, runs_as, tcp)
        try:
            yield server
        finally:
            with shielded():
                if not server.kept:
                    server.postmaster.stop()


def _started(directory: Path, data: Path, binaries: Binaries, runs_as: Account, tcp: bool) -> Server:
    sockets = cluster.socket_directory(directory)
    runs_as.own(sockets)
    for attempt in range(PORT_ATTEMPTS):
        postmaster = Postmaster(data, binaries, runs_as, sockets, free_port(), tcp)
        (directory / "stop").write_text("\n".join(map(str, postmaster.stopper)))
        try:
            postmaster.begin()
            return _met(postmaster)
        except BaseException as error:
            with shielded():
                postmaster.stop()
            if not isinstance(error, DidNotStart) or attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _met(postmaster: Postmaster) -> Server:
    """Wait for the first answer, then give the superuser a password."""
    with postmaster.met() as connection:
        password = give_password(connection, postmaster.local.user)
        version = connection.info.server_version
    local = postmaster.local
    host = LOOPBACK if postmaster.tcp else local.host
    return Server(Address(host, local.port, local.database, local.user, password), version, postmaster)


def give_password(connection: psycopg.Connection, role: str) -> Secret:
    """A new random one, of which the server only ever sees the hash."""
    password = Secret(secrets.token_urlsafe(24))
    hashed = connection.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256")
    change = sql.SQL("ALTER ROLE {} PASSWORD {}")
    connection.execute(change.format(sql.Identifier(role), sql.Literal(hashed.decode())))
    return password
