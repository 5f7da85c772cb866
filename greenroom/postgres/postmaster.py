"""A server's process on a data directory: started, met, put to rest, stopped."""

from __future__ import annotations

import secrets
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import cluster
from greenroom.postgres.account import Account, dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.dialling import dialled
from greenroom.shell import DEVNULL, Popen, TimeoutExpired

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
REST_SECONDS = 300.0  # of the last checkpoint, when gigabytes have to reach the disk
POLL_SECONDS = 0.003

_OWN_PORTS = range(20_000, 32_768)  # below those that the kernel hands out: free again after a restart


class DidNotStart(GreenroomError):
    """The port may have been taken in between, or a setting be too much: worth another attempt."""


@dataclass
class Postmaster:
    """Where a server lives and as whom; `process` is the running one, or the last that ran.

    Without `tcp` it listens on its private socket only. The kernel stops it when this process is killed, and when the
    thread ends that started it.
    """

    data: Path
    binaries: Binaries
    account: Account
    sockets: Path
    port: int
    tcp: bool = True
    process: Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.data.parent / "log"

    @property
    def local(self) -> Address:
        """Its superuser's, by the private socket: no password is asked for there."""
        return Address(str(self.sockets), self.port, "postgres", cluster.SUPERUSER)

    @property
    def listed_sockets(self) -> str:
        """As a list of directories has it, whose names may hold commas and blanks."""
        return '"{}"'.format(str(self.sockets).replace('"', '""'))

    @property
    def stopper(self) -> list[str | Path]:
        """The words that stop it at once, for whoever finds it without its process."""
        return [*self.account.prefix, self.binaries.program("pg_ctl"), "-D", self.data, "-m", "immediate", "stop"]

    def start(self) -> None:
        """Start it and wait for its first answer. Raises DidNotStart."""
        self.begin()
        self.met().close()

    def begin(self) -> None:
        """Start it; `met` waits for it."""
        host = LOOPBACK if self.tcp else ""
        options = {
            "port": str(self.port),
            "unix_socket_directories": self.listed_sockets,
            "listen_addresses": host,
        }
        program = self.binaries.program("postgres")
        words: list[str | Path] = [*self.account.prefix, *dies_with_us(), program, "-D", self.data]
        words += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log, shielded():
            # a session of its own: Ctrl-C on the terminal must not stop it before the clean-up
            self.process = shell.spawn(
                words, cwd=self.data, stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def met(self) -> psycopg.Connection:
        """The first connection, by the private socket. Raises DidNotStart."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return dialled(self.local.parameters)
            except psycopg.OperationalError as error:
                if self._ended or time.monotonic() > deadline:
                    said = self.log.read_text(errors="replace")
                    raise DidNotStart(
                        f"the embedded PostgreSQL server did not start: {shell.last_line(said)}",
                        "Is there room on the disk, and memory? Else give --server postgresql://... for the copy.",
                    ) from error
                time.sleep(POLL_SECONDS)

    def rest(self) -> None:
        """Shut it down cleanly: its sessions end, all is in the data files. Raises GreenroomError when it does not."""
        if self.process is None or self._ended:
            return
        self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            code = self.process.wait(REST_SECONDS)
        except TimeoutExpired as error:
            raise GreenroomError(
                f"the embedded PostgreSQL server did not shut down within {REST_SECONDS:.0f} s.",
                "Is the disk overloaded? Run again.",
            ) from error
        if code != 0:
            raise GreenroomError(
                f"the embedded PostgreSQL server did not shut down cleanly (exit code {code}): "
                f"{shell.last_line(self.log.read_text(errors='replace'))}",
                "Is there room on the disk? Run again.",
            )

    def sync(self) -> None:
        """Onto the disk, all of it, while it is at rest: what was loaded without fsync may still be in memory."""
        shell.run([*self.account.prefix, self.binaries.program("initdb"), "--sync-only", "-D", self.data])

    def stop(self) -> None:
        """Stop at once: nobody will start from this data again. SIGQUIT is PostgreSQL's immediate shutdown."""
        if self.process is None:
            return
        for number in (signal.SIGQUIT, signal.SIGKILL):
            self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS)
                return
            except TimeoutExpired:
                continue

    @property
    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


def free_port() -> int:
    """One on loopback that nobody listens on."""
    while True:
        port = secrets.choice(_OWN_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
