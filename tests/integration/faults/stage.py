"""Where faults happen: a source on a server of its own, a VPN host, a checkout with a target, and the typed command.

stage.set_up(WAYS["file"])
run = stage.start("migrate-rehearse", ...)     # a process of its own session, as a terminal starts it
run.processes()                                # what it has started and what these have started, also afterwards
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from tests.integration.bastion import Bastion
from tests.integration.projects import PASSWORD, shop, write_project

ROOT = Path(__file__).parents[3]
HARMLESS = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
NO_ENGINE = "unix:///nonexistent/docker.sock"  # other tests have containers meanwhile
END_SECONDS = 60.0
POLL_SECONDS = 0.01
LOGGED = 6000
PAPER = 10_000  # rows that do not compress well: an archive of a hundred kB and more


@dataclass(frozen=True)
class Source:
    """A server of its own, so that it may be restarted, and on it the database of an ordinary role."""

    server: Server
    address: Address

    @property
    def name(self) -> str:
        return self.address.database

    def admin(self, database: str | None = None) -> psycopg.Connection:
        """Its superuser, on the source or on another database; in autocommit mode."""
        return psycopg.connect(**self.server.address.at(database or self.name).parameters, autocommit=True)

    def owner_says(self, statements: str) -> None:
        """As the target's role, in a session that is gone afterwards."""
        with psycopg.connect(**self.address.parameters, autocommit=True) as owner:
            owner.execute(statements.encode())

    @property
    def log(self) -> str:
        """The last of what its server said."""
        return self.server.postmaster.log.read_text(errors="replace")[-LOGGED:]

    def restart(self) -> None:
        """As `pg_ctl restart` does it: whoever is connected is thrown out."""
        self.server.postmaster.rest()
        self.server.postmaster.start()


@contextmanager
def source(directory: Path) -> Iterator[Source]:
    """Of a name that no other test's has: copies are known by it. A sequence is there for the brakes.

    Its log tells who ended a session, or the server. Who is let in half way is not thrown out by and by.
    """
    settings = {
        "wal_level": "replica",
        "max_connections": "60",
        "authentication_timeout": "600",
        "log_min_messages": "log",
        "log_line_prefix": "%m [%p] ",
    }
    name = f"orders{secrets.token_hex(2)}"
    with (
        embedded(binaries=of_major(18), settings=settings) as server,
        shop(server, directory, rows=2000, name=name) as at,
    ):
        made = Source(server, at)
        with made.admin() as admin:
            admin.execute(sql.SQL("CREATE SEQUENCE brake OWNED BY NONE"))
            admin.execute(sql.SQL("ALTER SEQUENCE brake OWNER TO {}").format(sql.Identifier(at.user)))
        made.owner_says(f"CREATE TABLE paper AS SELECT md5(n::text) AS note FROM generate_series(1, {PAPER}) AS n")
        yield made


@dataclass(frozen=True)
class Way:
    """How a copy is made: further words of the command, and whether the VPN host is used and has pg_dump."""

    words: tuple[str, ...] = ()
    via: bool = True
    client: bool = True

    @property
    def remote(self) -> bool:
        return "--remote" in self.words


WAYS = {
    "stream": Way(),
    "file": Way(("--via-file",)),
    "tunnel": Way(client=False),
    "direct": Way(via=False),
    "branch": Way(("--remote",)),
    "branch by tunnel": Way(("--remote",), client=False),
}


@dataclass
class Stage:
    """All that a case needs; `place` is the desk, with checkout and scratch, and `token` marks what runs from there.

    `port` leads to the source, where its own does not.
    """

    place: Path
    source: Source
    host: Bastion
    cache: Path
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    way: Way = WAYS["stream"]
    password: str = PASSWORD
    port: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.place / "project"

    @property
    def scratch(self) -> Path:
        """TMPDIR of the command."""
        return self.place / "scratch"

    @property
    def flag(self) -> Path:
        """Brakes that wait for a file wait for this one."""
        return self.place / "go"

    def set_up(self, way: Way) -> None:
        """The checkout with its target and a harmless migration, and the programs of the VPN host."""
        self.way = way
        self.scratch.mkdir(mode=0o711, parents=True)
        self.migrates(HARMLESS)
        self.configure("cache = false")
        (self.project / "tasks.py").write_text("from greenroom.tasks import namespace as namespace\n")
        self.host.client(self.source.server.binaries if way.client else None)

    def migrates(self, operation: str, *, before: str = "") -> None:
        """From now on this is the pending migration."""
        write_project(self.project, operation, before=before)

    def configure(self, *lines: str) -> None:
        """The further lines of the target's table."""
        (self.project / "pyproject.toml").write_text("\n".join([*self._table(), *lines]) + "\n")

    def start(self, *words: str) -> Run:
        """`migrate-rehearse --target staging` by the stage's way, or whatever is typed instead."""
        typed = words or ("migrate-rehearse", "--target", "staging", *self.way.words)
        return Run.started(self, [sys.executable, "-m", "greenroom", *typed])

    def processes(self) -> dict[int, str]:
        """Command lines of what runs for this desk, by pid: its token in the environment, or at home in its files.

        PostgreSQL writes its titles over its environment; its directory is that of its data.
        """
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = f"GREENROOM_DESK={self.token}".encode() in (process / "environ").read_bytes().split(b"\0")
                if ours or (process / "cwd").readlink().is_relative_to(self.place):
                    line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    found[int(process.name)] = line
            except OSError:  # gone, or a zombie
                continue
        return {pid: line for pid, line in found.items() if line}

    def clear(self) -> None:
        """Whatever a failed test left running goes: only what is marked as this desk's."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for run in self.runs:
            run.process.wait(END_SECONDS)

    def variables(self) -> dict[str, str]:
        """The command's whole environment."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.host.home),
            "TMPDIR": str(self.scratch),
            "XDG_CACHE_HOME": str(self.cache),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DOCKER_HOST": NO_ENGINE,
            "STAGING_PASSWORD": self.password,
            "GREENROOM_DESK": self.token,
            **self.environment,
        }

    def _table(self) -> list[str]:
        at = self.source.address
        return [
            *("[tool.greenroom.project]", 'directory = "."', 'settings = "shop_settings"'),
            "[tool.greenroom.databases.staging]",
            *(f'host = "{at.host}"', f"port = {self.port or at.port}"),
            *(f'name = "{at.database}"', f'user = "{at.user}"'),
            'password_variable = "STAGING_PASSWORD"',
            *([f'via = "{self.host.via}"'] if self.way.via else []),
        ]


@dataclass
class Run:
    """A command under way. What it says goes to files, so that nothing waits for a reader."""

    stage: Stage
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @classmethod
    def started(cls, stage: Stage, words: list[str]) -> Run:
        place = stage.place.parent / f"said-{secrets.token_hex(3)}"
        place.mkdir()
        with (place / "out").open("wb") as out, (place / "err").open("wb") as err:
            process = subprocess.Popen(
                words,
                cwd=stage.project,
                env=stage.variables(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_heeds_signals,
            )
        run = cls(stage, process, place / "out", place / "err")
        stage.runs.append(run)
        return run

    @property
    def said(self) -> str:
        """Its standard error until now."""
        return self.err.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for it; fail when the command ends before, or it takes too long."""
        deadline = time.monotonic() + END_SECONDS
        while not true():
            assert not self.ended, f"it ended before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"no {what} in {END_SECONDS:.0f} s:\n{self.said}"
            time.sleep(POLL_SECONDS)

    def wait(self) -> int:
        """Its exit code, negative where a signal ended it."""
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            hanging = "\n".join(self.stage.processes().values())
            raise AssertionError(f"it hangs:\n{self.said}\nwith:\n{hanging}") from None


def _heeds_signals() -> None:
    """As a terminal starts it: what a shell has put into the background ignores SIGINT, and so does all below it."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
