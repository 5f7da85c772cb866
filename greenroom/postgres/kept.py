"""Servers that outlive the task: for a copy that somebody wants to work with until its lease is over.

The private directory moves to a place of its own, so nobody removes it as abandoned. What is known of it is written
down before that, without a password: a kill in between leaves a private directory, which the next server removes, or
something that `db-list` shows.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from greenroom import places, shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import cluster, sockets
from greenroom.postgres.embedded import Server
from greenroom.postgres.lease import Lease
from greenroom.postgres.postmaster import LOOPBACK, POLL_SECONDS, START_SECONDS, STOP_SECONDS, Postmaster
from greenroom.postgres.processes import lives
from greenroom.postgres.remains import Remains


@dataclass(frozen=True)
class Kept:
    """A server that was kept: its port on loopback is that of before. `environment` is a file, its owner's alone."""

    name: str
    port: int
    data: Path
    environment: Path


@dataclass(frozen=True)
class Record:
    """What is written down of a kept server: `place` is where all its files are, `whole` says that it started."""

    name: str
    port: int
    place: str
    lease: Lease
    whole: bool = False

    @property
    def home(self) -> Path:
        """Where it is written down."""
        return directory() / self.lease.id

    @property
    def exists(self) -> bool:
        """Whether anything of it is there."""
        return Path(self.place).exists()

    @property
    def running(self) -> bool:
        """Whether a server listens on its private socket; a number in a file could be another process's by now."""
        listening = sockets.elsewhere(Path(self.place)) or Path(self.place)
        with socket.socket(socket.AF_UNIX) as attempt:
            try:
                attempt.connect(str(listening / f".s.PGSQL.{self.port}"))
            except OSError:
                return False
            return True

    @property
    def to_be_reaped(self) -> bool:
        """Whether its time is over, or whoever was keeping it died over it, or its files have gone."""
        if not self.whole:
            return not lives(self.lease.pid, self.lease.made, self.lease.began)
        return self.lease.over or not self.exists

    @property
    def state(self) -> str:
        """For people."""
        if not self.whole:
            return "creator died" if self.to_be_reaped else "being made"
        if not self.exists:
            return "its files are gone"
        if self.lease.over:
            return self.lease.state
        return "kept" if self.running else "stopped"

    def write(self) -> None:
        """Onto the disk, whole or not at all."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self.home / "server.json", json.dumps(asdict(self)))


def directory() -> Path:
    """`$XDG_STATE_HOME/greenroom/kept` (default: ~/.local/state)."""
    return places.state() / "kept"


def keep(server: Server, name: str, terms: Lease, environment: Mapping[str, str]) -> Kept:
    """Let the server of the copy `name` outlive the task: it starts anew at the same address, in a session of its own.

    `environment` are the variables with which the app runs on it; they may hold the password and go to a file that
    only its owner reads. Sessions on the server end. Raises GreenroomError, and then nothing is kept.
    """
    private, postmaster = server.data.parent, server.postmaster
    postmaster.rest()
    postmaster.sync()  # what was loaded is on the disk: from here on somebody relies on it
    place = places.scratch() / f"kept-{terms.id}"
    record = Record(name, postmaster.port, str(place), replace(terms, kept=True))
    with shielded():
        try:
            record.write()
            sockets.move(private, place)
            postmaster.data = place / "data"
            _start(postmaster)
            lines = (f"{variable}={shlex.quote(value)}\n" for variable, value in environment.items())
            _write(record.home / "environment", "".join(lines))
            replace(record, whole=True).write()
        except BaseException:
            drop(record)
            raise
        server.kept = True
    return Kept(name, record.port, postmaster.data, record.home / "environment")


def standing() -> list[Remains]:
    """Every kept server of this user, running or not, the oldest first."""
    return sorted((_remains(record) for record in records()), key=lambda remains: remains.made)


def records() -> Iterator[Record]:
    """What is written down; a file that is damaged is passed over."""
    for path in sorted(directory().glob("*/server.json")):
        try:
            content = json.loads(path.read_text())
            terms = Lease(**{**content.pop("lease"), "roles": ()})
            yield Record(**content, lease=terms)
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            continue


def drop(record: Record) -> None:
    """Stop the server and remove everything of it. Raises GreenroomError where that fails."""
    with shielded():
        if record.running:
            _stop(record)
        cluster.remove(Path(record.place))
        if record.exists:
            raise GreenroomError(
                f"the files of {record.name} in {record.place} cannot be removed.", f"Remove them: rm -r {record.place}"
            )
        shutil.rmtree(record.home, ignore_errors=True)


def _start(postmaster: Postmaster) -> None:
    """By pg_ctl, which gives it a session of its own and no tie to us. Where it listens is written down for good."""
    place = postmaster.data.parent
    postmaster.sockets = cluster.socket_directory(place)
    postmaster.account.own(postmaster.sockets)
    where = {
        "port": str(postmaster.port),
        "unix_socket_directories": postmaster.listed_sockets,
        "listen_addresses": LOOPBACK,
    }
    with open(postmaster.data / "given.conf", "a") as file:
        file.write(cluster.lines(where))
    postmaster.account.own(postmaster.log)
    program = postmaster.binaries.program("pg_ctl")
    log = os.path.relpath(postmaster.log, postmaster.data)  # pg_ctl hands both to a shell, whatever is in their names
    words: list[str | Path] = [*postmaster.account.prefix, program, "-D", ".", "-l", log]
    done = shell.run([*words, "-s", "-w", "-t", f"{START_SECONDS:.0f}", "start"], cwd=postmaster.data, check=False)
    if done.code != 0:
        said = shell.last_line(postmaster.log.read_text(errors="replace"))
        raise GreenroomError(f"the server did not start again to be kept: {said}", "Run again.")


def _stop(record: Record) -> None:
    """At once, by the number of its process: its programs may be gone by now."""
    pid = int(Path(record.place, "data", "postmaster.pid").read_text().split()[0])
    for number in (signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise GreenroomError(
                f"the server of {record.name} (process {pid}) belongs to somebody else.", f"Stop it: kill -QUIT {pid}"
            ) from error
        deadline = time.monotonic() + STOP_SECONDS
        while record.running and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if not record.running:
            return


def _remains(record: Record) -> Remains:
    return Remains(
        kind="server",
        name=record.name,
        where=f"{LOOPBACK}:{record.port}",
        made=record.lease.made,
        state=record.state,
        to_be_reaped=record.to_be_reaped,
        drop=lambda: drop(record),
        lease=record.lease,
        size_bytes=_size(Path(record.place)),
        exists=record.exists,
    )


def _size(place: Path) -> int:
    """Of disk, in bytes; files that go meanwhile do not count."""
    total = 0
    for parent, _, names in os.walk(place):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def _write(path: Path, text: str) -> None:
    making = path.with_suffix(".new")
    with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
