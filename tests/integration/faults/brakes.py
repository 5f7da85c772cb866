"""What holds a phase still, so that a fault meets it in the middle: locks, slow functions, a pipe that waits.

A brake is laid before the command starts, and everything real goes on around it: pg_dump that waits for a lock is
pg_dump. `reached` says that the phase is there and stands; `release` lets it go on. A new phase is one entry of PHASES.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from tests.integration.faults import circumstances
from tests.integration.faults.doorway import doorway
from tests.integration.faults.slow import SLOW, SLOW_CP, SLOW_RMTREE
from tests.integration.faults.stage import ROOT, Run, Stage

STILL = 600  # seconds that a brake would hold, if nobody came
ROWS, SLOW_ROWS = 20_000, 100  # more than the buffers of a connection hold; five seconds at the beginning
FIRST_BYTES, SEEN_BYTES = 60_000, 20_000  # what a buffer still holds is not seen
ON_LOCK = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s)"


@dataclass
class Brake:
    """Of one case."""

    reached: Callable[[Run], object]
    release: Callable[[], None] = lambda: None


Laying = Callable[[Stage], AbstractContextManager[Brake]]


@contextmanager
def reading(stage: Stage) -> Iterator[Brake]:
    """pg_dump on the VPN host, which is asked for the schema, waits before it begins."""
    real = stage.source.server.binaries.program("pg_dump")
    waits = f"touch {stage.place}/asked; until [ -e {stage.flag} ]; do sleep 0.1; done"
    stage.host.program("pg_dump", f'case "$*" in *--schema-only*) {waits};; esac\nexec {real} "$@"')
    yield Brake(lambda run: (stage.place / "asked").exists(), stage.flag.touch)


def connecting(to_copy: bool) -> Laying:
    """One of the command's own connections comes in half way: its first, or the first to the copy that is watched."""

    @contextmanager
    def laid(stage: Stage) -> Iterator[Brake]:
        with doorway(stage, to_copy=to_copy) as door:
            yield Brake(lambda run: door.stopped.is_set())

    return laid


@contextmanager
def dump(stage: Stage) -> Iterator[Brake]:
    """pg_dump waits for a sequence that somebody is about to drop, in its snapshot; --schema-only does not look."""
    with _somebody(stage, stage.source.name) as other:
        other.execute("DROP SEQUENCE brake")
        yield Brake(lambda run: _waits(stage, "%pg_get_sequence_data%"), lambda: _gives_up(other))


@contextmanager
def transfer_of_dump(stage: Stage) -> Iterator[Brake]:
    """pg_dump on the VPN host writes on, but after the first bytes the pipe stands still."""
    real = stage.source.server.binaries.program("pg_dump")
    flow = f"{{ head -c {FIRST_BYTES}; until [ -e {stage.flag} ]; do sleep 0.1; done; cat; }}"
    stage.host.program(
        "pg_dump", f'case "$*" in *--schema-only*|*--version*) exec {real} "$@";; esac\n{real} "$@" | {flow}'
    )
    yield Brake(lambda run: _arrived(stage), stage.flag.touch)


@contextmanager
def transfer_of_file(stage: Stage) -> Iterator[Brake]:
    """The archive lies on the VPN host, and its first bytes are here."""
    (stage.host.programs / "tail-of-coreutils").symlink_to((stage.host.programs / "tail").readlink())
    flow = f"{{ head -c {FIRST_BYTES}; until [ -e {stage.flag} ]; do sleep 0.1; done; cat; }}"
    stage.host.program("tail", f'tail-of-coreutils "$@" | {flow}')
    yield Brake(lambda run: _arrived(stage), stage.flag.touch)


@contextmanager
def rows(stage: Stage) -> Iterator[Brake]:
    """A big table whose check takes its time for the first rows that are copied."""
    name = stage.source.name
    table = f"""
        {SLOW.format(name=name)}
        CREATE TABLE slow_rows (n int, filler text);
        ALTER TABLE slow_rows ADD CHECK (public.slow(n, CASE WHEN n < {SLOW_ROWS} THEN 0.05 ELSE 0 END) > 0);
        INSERT INTO slow_rows SELECT n, repeat('x', 900) FROM generate_series(1, {ROWS}) AS n;
    """
    with _made(stage, table, "DROP TABLE slow_rows; DROP FUNCTION slow"):
        yield Brake(lambda run: at(stage, "COPY"))


@contextmanager
def index(stage: Stage) -> Iterator[Brake]:
    """An index over a function that takes its time."""
    table = f"""
        {SLOW.format(name=stage.source.name)}
        CREATE TABLE one_row AS SELECT 1 AS n;
        CREATE INDEX ON one_row (public.slow(n, {STILL}));
    """
    with _made(stage, table, "DROP TABLE one_row; DROP FUNCTION slow"):
        yield Brake(lambda run: at(stage, "CREATE INDEX"))


@contextmanager
def migration(stage: Stage) -> Iterator[Brake]:
    """A statement of the migration that runs, on the copy's server."""
    stage.migrates(f"migrations.RunSQL('CREATE TABLE late AS SELECT 1 AS n FROM pg_sleep({STILL})')")
    yield Brake(lambda run: at(stage, "CREATE TABLE AS"))


@contextmanager
def own_code(stage: Stage) -> Iterator[Brake]:
    """The app's own code, which waits for a file: no statement runs, and it can be let go."""
    before = f"""
def wait(apps, editor):
    import os
    open({str(stage.place)!r} + f"/waits-{{os.getpid()}}", "w").close()
    while not os.path.exists({str(stage.flag)!r}):
        time.sleep(0.05)
"""
    stage.migrates("migrations.RunPython(wait, migrations.RunPython.noop)", before=before)
    yield Brake(lambda run: waiting(stage), stage.flag.touch)


def waiting(stage: Stage) -> int:
    """How many apps wait in `own_code`."""
    return len(list(stage.place.glob("waits-*")))


@contextmanager
def drill(stage: Stage) -> Iterator[Brake]:
    """The way back, on a clone: a statement that undoes nothing for a long time."""
    undo = f"CREATE TABLE undone AS SELECT 1 AS n FROM pg_sleep({STILL})"
    stage.migrates(f"migrations.RunSQL('ALTER TABLE shop_line ADD extra int', reverse_sql='{undo}')")
    yield Brake(lambda run: "  drill: back" in run.said and at(stage, "CREATE TABLE AS"))


@contextmanager
def drop_branch(stage: Stage) -> Iterator[Brake]:
    """DROP DATABASE waits for somebody who writes a comment on the database; the migration goes on when he does."""
    with own_code(stage) as migrating, _somebody(stage, "postgres") as other:

        def reached(run: Run) -> bool:
            if "commenting" not in seen and migrating.reached(run):
                other.execute(sql.SQL("COMMENT ON DATABASE {} IS 'brake'").format(sql.Identifier(_leased(stage))))
                seen.add("commenting")
                migrating.release()
            return _waits(stage, "DROP DATABASE%")

        seen: set[str] = set()
        yield Brake(reached, lambda: _gives_up(other))


@contextmanager
def drop(stage: Stage) -> Iterator[Brake]:
    """The directory of the copy's server is removed, on a disk that stands still."""
    modules = Path(tempfile.mkdtemp(prefix="modules-", dir=stage.place.parent))
    (modules / "sitecustomize.py").write_text(
        SLOW_RMTREE.format(removing=str(modules / "removing"), flag=str(stage.flag))
    )
    stage.environment["PYTHONPATH"] = f"{modules}:{ROOT}"
    yield Brake(lambda run: (modules / "removing").exists() and "  dropping the copy" in run.said, stage.flag.touch)


@contextmanager
def create(stage: Stage) -> Iterator[Brake]:
    """CREATE DATABASE waits for somebody who writes a comment on template0."""
    with _somebody(stage, "postgres") as other:
        other.execute("COMMENT ON DATABASE template0 IS 'brake'")
        yield Brake(lambda run: _waits(stage, "CREATE DATABASE%"), lambda: _gives_up(other))


@contextmanager
def snapshot(stage: Stage) -> Iterator[Brake]:
    """What is restored is kept, on a slow disk: cp ends late. The copy's server is at rest meanwhile."""
    stage.configure("cache = true")
    programs = Path(tempfile.mkdtemp(prefix="programs-", dir=stage.place.parent))
    copied = programs / "copied"
    (programs / "cp").write_text(SLOW_CP.format(cp=shutil.which("cp"), copied=copied, seconds=STILL))
    (programs / "cp").chmod(0o755)
    stage.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    yield Brake(lambda run: copied.exists())


@contextmanager
def first_server(stage: Stage) -> Iterator[Brake]:
    """The first server of this user: initdb runs."""
    stage.cache = stage.place / "cache"
    yield Brake(lambda run: any(stage.cache.glob("greenroom/??????/data/base")))


def on_small_disk(of: Callable[[Stage], Path], laying: Laying) -> Laying:
    """The same phase, and a disk can be filled meanwhile."""

    @contextmanager
    def laid(stage: Stage) -> Iterator[Brake]:
        with circumstances.small_disk(of(stage)), laying(stage) as brake:
            yield brake

    return laid


def given(change: Callable[[Stage], None]) -> Laying:
    """No phase: what is wrong is so from the beginning."""

    @contextmanager
    def laid(stage: Stage) -> Iterator[Brake]:
        change(stage)
        yield Brake(lambda run: True)

    return laid


# The phases of a rehearsal, and what holds each still; by way, where that is another thing.
PHASES: dict[str, Laying | dict[str, Laying]] = {
    "connecting": {"stream": connecting(to_copy=False), "branch": connecting(to_copy=True)},
    "reading": reading,
    "create": create,
    "server": first_server,
    "dump": dump,
    "transfer": {"stream": transfer_of_dump, "file": transfer_of_file, "tunnel": rows, "branch by tunnel": rows},
    "rows": rows,
    "restore": index,
    "snapshot": snapshot,
    "migrate": migration,
    "own code": own_code,
    "drill": drill,
    "drop": {"stream": drop, "branch": drop_branch},
    "transfer on a small disk": on_small_disk(lambda stage: stage.scratch, transfer_of_dump),
    "restore on a small disk": on_small_disk(lambda stage: stage.scratch, rows),
    "dump on a small disk": on_small_disk(lambda stage: stage.host.remote_tmp, dump),
    "wrong key": given(circumstances.wrong_key),
    "wrong host key": given(circumstances.wrong_host_key),
    "wrong password": given(circumstances.wrong_password),
    "pg_dump older": given(circumstances.older_client),
}


def of(phase: str, way: str) -> Laying:
    """The brake of a phase."""
    found = PHASES[phase]
    return found[way] if isinstance(found, dict) else found


def at(stage: Stage, command: str) -> list[int]:
    """Server processes, of any server of this machine, that are at `command` in a copy: by the titles they have."""
    title = re.compile(rf"postgres: \S+ {stage.source.name}__\S+ \S+ {command}\s*")
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if title.fullmatch(line.read_bytes().rstrip(b"\0").decode(errors="replace")):
                found.append(int(line.parent.name))
    return found


@contextmanager
def _made(stage: Stage, there: str, gone: str) -> Iterator[None]:
    """Tables of the source's owner."""
    stage.source.owner_says(there)
    try:
        yield
    finally:
        stage.source.owner_says(gone)


def _waits(stage: Stage, query: str) -> bool:
    """Whether somebody on the source's server waits for a lock, at such a query."""
    with stage.source.admin("postgres") as admin:
        row = admin.execute(ON_LOCK, [query]).fetchone()
    return row == (True,)


def _leased(stage: Stage) -> str:
    """The branch that bears its lease."""
    with stage.source.admin("postgres") as admin:
        row = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s AND shobj_description(oid, 'pg_database') <> ''",
            [f"{stage.source.name}\\_\\_%"],
        ).fetchone()
    assert row is not None, "it is being migrated"
    return str(row[0])


def _arrived(stage: Stage) -> bool:
    return any(path.stat().st_size >= SEEN_BYTES for path in stage.scratch.glob("greenroom-*/*/dump"))


@contextmanager
def _somebody(stage: Stage, database: str) -> Iterator[psycopg.Connection]:
    """An open transaction of somebody else, who thinks better of it."""
    with stage.source.admin(database) as other:
        other.execute("BEGIN")
        try:
            yield other
        finally:
            _gives_up(other)


def _gives_up(other: psycopg.Connection) -> None:
    """Also a second time, and when the server was restarted meanwhile."""
    with suppress(psycopg.OperationalError):
        if other.info.transaction_status != TransactionStatus.IDLE:
            other.execute("ROLLBACK")
