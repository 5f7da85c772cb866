"""`serve`: the app in plain Python on a private PostgreSQL server, without Docker, for as long as somebody looks."""

from __future__ import annotations

import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from greenroom import ports, shell
from greenroom.config import Config
from greenroom.console import Progress
from greenroom.copies.project import environment_of, interpreter
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import roles
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.postmaster import LOOPBACK
from greenroom.postgres.server import connect
from greenroom.secret import Secret

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
DATABASE = "app"
USER = "admin"
PORT_VARIABLE = "DJANGO_EXTERNAL_PORT_NUM"
PASSWORD_VARIABLE = "DJANGO_SUPERUSER_PASSWORD"  # Django's own name  # noqa: S105


@dataclass(frozen=True)
class Serving:
    """The app that runs. `password` is None where the shell gave one, or no admin user could be made: `note` says."""

    port: int
    process: shell.Popen[bytes]
    password: Secret | None
    note: str

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://localhost:{self.port}"

    def wait(self) -> int:
        """Until it ends by itself: its exit code."""
        return self.process.wait()


@contextmanager
def served(config: Config, port: int, progress: Progress) -> Iterator[Serving]:
    """The app on an empty database with its migrations, a little demo data and an admin user; nothing of it stays.

    Its code is loaded anew when it changes. Raises GreenroomError, also where the port is taken.
    """
    refuse_taken(port)
    directory = _directory(config)
    python = interpreter(config.project, directory)
    progress.step("starting an embedded PostgreSQL server")
    with embedded() as server:
        app = App(python, directory, _environment(config, _database(server), port))
        progress.step("migrating")
        app.manage("migrate", "--no-input")
        if config.demo and config.demo.load_little:
            progress.step(f"writing demo data: {' '.join(config.demo.load_little)}")
            app.manage(*config.demo.load_little)
        password, note = _admin(app)
        progress.step("starting the app")
        process = app.start("runserver", f"{LOOPBACK}:{port}")
        try:
            _wait_until_it_listens(process, port)
            yield Serving(port, process, password, note)
        finally:
            with shielded():
                _end(process)


@dataclass(frozen=True)
class App:
    """The project's manage.py, and the variables that it is run with."""

    python: str
    directory: Path
    environment: dict[str, str]

    def manage(self, *words: str, **further: str) -> None:
        """Run a command to its end. Raises GreenroomError."""
        shell.run(self._words(*words), cwd=self.directory, env={**self.environment, **further})

    def start(self, *words: str) -> shell.Popen[bytes]:
        """Start one that goes on, on this terminal; it ends when this process is killed."""
        return shell.spawn(
            [*dies_with_us("TERM"), *self._words(*words)],
            cwd=self.directory,
            env=self.environment,
            stdout=sys.stderr.fileno(),
        )

    def _words(self, *words: str) -> list[str]:
        return [self.python, "manage.py", *words]


def port_of(option: str) -> int:
    """What --port says. Raises GreenroomError where that is none."""
    port = ports.number(option)
    if port is None:
        raise GreenroomError(f"--port is a number from 1 to {ports.HIGHEST}, not {option or 'nothing'}.")
    return port


def refuse_taken(port: int) -> None:
    """Raises GreenroomError where somebody listens on the port of loopback, or this user may not."""
    if why := ports.why_not(LOOPBACK, port):
        raise GreenroomError(
            f"port {port} cannot be used: {why}.",
            f"Stop what listens there (`ss -ltnp 'sport = :{port}'` shows it), or choose another: --port.",
        )


def _directory(config: Config) -> Path:
    directory = (config.root / config.project.directory).resolve()
    if not (directory / "manage.py").is_file():
        raise GreenroomError(
            f"there is no manage.py in {directory}.", "directory = in [tool.greenroom.project] says where it is."
        )
    return directory


def _database(server: Server) -> Address:
    """One that belongs to an ordinary role, as in production."""
    role, name = f"{DATABASE}_owner", DATABASE
    with connect(server.address) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        password = roles.let_in(connection, role, ())
        words = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(role))
        connection.execute(words)
    return server.address.at(name).as_role(role, password)


def _environment(config: Config, address: Address, port: int) -> dict[str, str]:
    chosen = {"DJANGO_SETTINGS_MODULE": config.project.settings} if config.project.settings else {}
    told = environment_of(config.project, address, tls=False)
    return {**config.project.environment, **told, **chosen, PORT_VARIABLE: str(port), "PYTHONUNBUFFERED": "1"}


def _admin(app: App) -> tuple[Secret | None, str]:
    """An admin user: with the password of the shell, else with one made now."""
    given = shell.variable(PASSWORD_VARIABLE)
    password = Secret(given or secrets.token_urlsafe(12))
    words = ("createsuperuser", "--no-input", "--username", USER, "--email", f"{USER}@localhost")
    try:
        app.manage(*words, **{PASSWORD_VARIABLE: password.reveal()})
    except GreenroomError as error:
        return None, f"no admin user was made: {error.sentence}"
    return (None, f"log in as {USER}, with the password of {PASSWORD_VARIABLE}") if given else (password, "")


def _wait_until_it_listens(process: shell.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise GreenroomError("the app does not start: what it says stands above.", "Correct that, then run again.")
        time.sleep(POLL_SECONDS)


def _end(process: shell.Popen[bytes]) -> None:
    """It ends its own children; on a terminal Ctrl-C has reached it already."""
    for stop in (process.terminate, process.kill):
        if process.poll() is not None:
            return
        stop()
        try:
            process.wait(STOP_SECONDS)
        except shell.TimeoutExpired:
            continue
