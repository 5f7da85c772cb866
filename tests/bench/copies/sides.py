"""Three ways to have a copy: the plain script, pgcopydb, and `acquire` of a target that is reached directly."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from psycopg import sql

from greenroom import shell
from greenroom.config import Config, PostgresTarget, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres import cluster
from greenroom.postgres.account import account
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless, running, words_in
from greenroom.postgres.embedded import embedded
from greenroom.postgres.postmaster import Postmaster, free_port
from greenroom.postgres.server import connect

JOBS = 2
PASSWORD_VARIABLE = "BENCH_COPIES_PASSWORD"


@dataclass(frozen=True)
class Copy:
    """A copy that is complete: where, after how many seconds, and how these were spent.

    `statistics_seconds` are those of VACUUM and ANALYZE afterwards, where the side's way does not end with them.
    """

    address: Address
    seconds: float
    parts: str
    statistics_seconds: float = 0.0


class Side(Protocol):
    """A way to copy."""

    name: str

    def copied(self, source: Address) -> AbstractContextManager[Copy]:
        """A copy for as long as the block lasts."""


@contextmanager
def removed_later() -> Iterator[None]:
    """What a side leaves on the disk goes when the block ends.

    For a minute and more after many files were removed ext4 passes over each of their inodes when it makes another
    (recently_deleted in the kernel's fs/ext4/ialloc.c): who runs next would pay for that, by the number of its files.
    """
    with ExitStack() as later, pytest.MonkeyPatch.context() as patched:
        remove = cluster.remove
        patched.setattr(cluster, "remove", lambda directory: later.callback(remove, directory))
        yield


@contextmanager
def team_server(programs: Binaries) -> Iterator[Address]:
    """A server as initdb makes it: no setting is touched. The address of its superuser, on a private socket."""
    runs_as = account()
    binaries = runs_as.readable(programs)
    with cluster.private_directory() as directory:
        runs_as.own(directory)
        words = [*runs_as.prefix, binaries.program("initdb"), "-D", directory / "data", "-U", cluster.SUPERUSER]
        shell.run([*words, "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C.UTF-8"])
        sockets = cluster.socket_directory(directory)
        runs_as.own(sockets)
        postmaster = Postmaster(directory / "data", binaries, runs_as, sockets, free_port(), tcp=False)
        postmaster.start()
        try:
            yield postmaster.local
        finally:
            postmaster.stop()


@dataclass
class Script:
    """`pg_dump > f; cp f g; psql -f g`, into a team's server that runs."""

    programs: Binaries
    scratch: Path
    name: str = "plain script"

    @contextmanager
    def copied(self, source: Address) -> Iterator[Copy]:
        """The server is there, and has nothing else to do; the files go when the clock has stopped."""
        dumped, brought = self.scratch / "f", self.scratch / "g"
        with team_server(self.programs) as server, _empty(server, source) as address:
            dump: list[str | Path] = [
                self.programs.program("pg_dump"),
                f"--file={dumped}",
                f"--dbname={source.conninfo}",
            ]
            psql: list[str | Path] = [self.programs.program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
            began = time.monotonic()
            _run(dump, source)
            at_dumped = time.monotonic()
            shutil.copyfile(dumped, brought)
            at_brought = time.monotonic()
            _run([*psql, f"--file={brought}", f"--dbname={address.conninfo}"], address)
            ended = time.monotonic()
            _run([self.programs.program("vacuumdb"), "--analyze", "--quiet", f"--dbname={address.conninfo}"], address)
            analysed = time.monotonic()
            dumped.unlink()
            brought.unlink()
            parts = f"dump {at_dumped - began:.2f}, cp {at_brought - at_dumped:.2f}, psql {ended - at_brought:.2f}"
            yield Copy(address, ended - began, parts, analysed - ended)


@dataclass
class Pgcopydb:
    """`pgcopydb clone` with two jobs, into a server as ours: started for it, tuned, and restarted as one in use."""

    programs: Binaries
    scratch: Path
    name: str = "pgcopydb clone"

    def is_here(self) -> bool:
        """Whether it is installed."""
        return shutil.which("pgcopydb") is not None

    @contextmanager
    def copied(self, source: Address) -> Iterator[Copy]:
        """Its work directory goes when the clock has stopped."""
        work = self.scratch / "pgcopydb"
        words: list[str | Path] = [
            "pgcopydb",
            "clone",
            "--table-jobs",
            str(JOBS),
            "--index-jobs",
            str(JOBS),
            "--dir",
            work,
        ]
        programs = f"{self.programs.directory}:{os.environ['PATH']}"
        began = time.monotonic()
        with embedded(binaries=self.programs) as server, _empty(server.local, source) as address:
            started = time.monotonic()
            _run([*words, "--source", source.conninfo, "--target", address.conninfo], source, PATH=programs)
            cloned = time.monotonic()
            server.durable()
            ended = time.monotonic()
            shutil.rmtree(work)
            parts = f"start {started - began:.2f}, clone {cloned - started:.2f}, restart {ended - cloned:.2f}"
            yield Copy(address, ended - began, parts)


@dataclass
class Ours:
    """All that `acquire` does, with its server's start; initdb is done once a machine, before."""

    name: str = "ours"

    @contextmanager
    def copied(self, source: Address) -> Iterator[Copy]:
        """As `--target` has it, without a snapshot that stays."""
        assert source.password
        target = PostgresTarget(
            host=source.host,
            port=source.port,
            name=source.database,
            user=source.user,
            password_variable=PASSWORD_VARIABLE,
            cache=False,
        )
        os.environ[PASSWORD_VARIABLE] = source.password.reveal()
        config = Config(root=Path.cwd(), databases={"bench": target})
        steps = Steps()
        try:
            with acquire(CopyRequest(config=config, project=Project(), target="bench"), steps) as copy:
                yield Copy(copy.admin, copy.seconds, steps.told())
        finally:
            del os.environ[PASSWORD_VARIABLE]


@dataclass
class Steps(Silent):
    """When each phase began."""

    begun: list[tuple[str, float]] = field(default_factory=list)

    def step(self, text: str) -> None:
        """A new phase."""
        self.begun.append((text, time.monotonic()))

    def told(self) -> str:
        """`reading 0.1, copying 5.2`."""
        ends = [*(at for _, at in self.begun[1:]), time.monotonic()]
        return ", ".join(f"{text.split()[0]} {end - at:.2f}" for (text, at), end in zip(self.begun, ends, strict=True))


@contextmanager
def _empty(server: Address, source: Address) -> Iterator[Address]:
    """A new database there, of the source's locale; it goes with its server."""
    name = sql.Identifier(source.database)
    with connect(server) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
    yield server.at(source.database)


def _own_semaphores() -> list[str]:
    """Words before pgcopydb, which leaves semaphores in the kernel: in a namespace of its own they end with it."""
    words = ["unshare", "--map-current-user", "--ipc"]
    return words if shell.run([*words, "true"], check=False).code == 0 else []


def _run(words: Sequence[str | Path], address: Address, **environment: str) -> None:
    """To its end, or to ours; what it says is shown when it fails.

    In a session of its own: pgcopydb, when it is interrupted, ends its whole group.
    """
    variables = {"PATH": os.environ["PATH"], **address.password_environment, **environment}
    with (
        nameless() as said,
        running(words, env=variables, stdout=said, stderr=said, start_new_session=True) as child,
    ):
        code = child.wait()
        assert code == 0, f"{words[0]} failed: {words_in(said)[-2000:]}"
