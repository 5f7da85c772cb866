"""A private PostgreSQL server that lives as long as the task: nothing of it stays, however the task ends."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import cluster
from greenroom.postgres.account import Account, account, dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries, newest
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from greenroom.shell import DEVNULL, Popen, TimeoutExpired

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01
PORT_ATTEMPTS = 3


@dataclass
class Server:
    """A server of our own. `address` is its superuser's, in the database postgres; `label` is for people."""

    address: Address
    binaries: Binaries
    version_num: int
    data: Path
    process: Popen[bytes] = field(repr=False)
    account: Account = field(repr=False)
    label: str = "embedded"

    def durable(self) -> None:
        """From now on commits are true: fsync, full_page_writes and synchronous_commit on, autovacuum too.

        Before, while data is restored, they are off. What was written until now has left the server when this returns.
        """
        with connect(self.address) as connection:
            connection.execute("CHECKPOINT")
            cluster.write_settings(self.data / "phase.conf", cluster.DURABLE, self.account)
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SELECT setting FROM pg_settings WHERE name = 'fsync'").fetchone() != ("on",):
                time.sleep(POLL_SECONDS)


@contextmanager
def embedded(
    *, binaries: Binaries | None = None, settings: Mapping[str, str] | None = None, tcp: bool = True
) -> Iterator[Server]:
    """A server for as long as the block lasts: a superuser with a random password, UTF-8, on loopback.

    `settings` go over ours; without `tcp` it listens on its private socket only. Raises GreenroomError when it does not
    start.
    """
    runs_as = account()
    programs = runs_as.readable(binaries or newest())
    with cluster.private_directory() as directory:
        data = cluster.create(directory, programs, runs_as, settings or {})
        server = _started(directory, data, programs, runs_as, tcp)
        try:
            yield server
        finally:
            with shielded():
                stop(server.process)


def stop(process: Popen[bytes]) -> None:
    """Stop at once: nobody will start from this data again. SIGQUIT is PostgreSQL's immediate shutdown."""
    for number in (signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
            return
        except TimeoutExpired:
            continue


def _started(directory: Path, data: Path, binaries: Binaries, runs_as: Account, tcp: bool) -> Server:
    sockets = cluster.socket_directory(directory)
    runs_as.own(sockets)
    words = [*runs_as.prefix, binaries.program("pg_ctl"), "-D", data, "-m", "immediate", "stop"]
    (directory / "stop").write_text("\n".join(map(str, words)))
    for attempt in range(PORT_ATTEMPTS):
        port = _free_port()
        process = _spawned(directory, data, binaries, runs_as, sockets, port, tcp)
        try:
            return _met(
                process, data, binaries, runs_as, Address(str(sockets), port, "postgres", cluster.SUPERUSER), tcp
            )
        except BaseException as error:
            with shielded():
                stop(process)
            if not isinstance(error, _DidNotStart) or attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _spawned(
    directory: Path, data: Path, binaries: Binaries, runs_as: Account, sockets: Path, port: int, tcp: bool
) -> Popen[bytes]:
    options = {"port": str(port), "unix_socket_directories": str(sockets), "listen_addresses": LOOPBACK if tcp else ""}
    words: list[str | Path] = [*runs_as.prefix, *dies_with_us(), binaries.program("postgres"), "-D", data]
    words += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with open(directory / "log", "wb") as log:
        # a session of its own: Ctrl-C on the terminal must not stop it before the clean-up
        return shell.spawn(words, cwd=data, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _met(process: Popen[bytes], data: Path, binaries: Binaries, runs_as: Account, local: Address, tcp: bool) -> Server:
    """Wait for the first answer, then give the superuser a password."""
    with _first_connection(process, data.parent / "log", local) as connection:
        password = Secret(secrets.token_urlsafe(24))
        hashed = connection.pgconn.encrypt_password(password.reveal().encode(), local.user.encode(), b"scram-sha-256")
        change = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(change.format(sql.Identifier(local.user), sql.Literal(hashed.decode())))
        version = connection.info.server_version
    address = Address(LOOPBACK if tcp else local.host, local.port, local.database, local.user, password)
    return Server(address, binaries, version, data, process, runs_as)


def _first_connection(process: Popen[bytes], log: Path, local: Address) -> psycopg.Connection:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return psycopg.connect(make_conninfo(**local.parameters), autocommit=True)
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")
                raise _DidNotStart(
                    f"the embedded PostgreSQL server did not start: {shell.last_line(said)}",
                    "Is there room on the disk, and memory? Else give --server postgresql://... for the copy.",
                ) from error
            time.sleep(POLL_SECONDS)


class _DidNotStart(GreenroomError):
    """The port may have been taken in between: worth another attempt."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
