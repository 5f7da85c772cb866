"""What must be true after every fault: the source as it was, and nothing left anywhere. One function checks it all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from greenroom.postgres import catalog
from tests.integration.faults.stage import Run, Source, Stage

SETTLE_SECONDS = 15.0  # what was killed takes its children along, and that takes a moment
# Rooms of greenroom's own that stay when they are empty; and what can be made again.
STANDING = re.compile(
    r"build(/rehearsals)?|greenroom-\d+(/snapshots)?|\.local(/state(/greenroom(/\w+)?)?)?|greenroom(/initdb-[^/]+(/.*)?)?"
)
# Beside the schema that a client sees: whose it is, whether it was rewritten, and how far its sequences are.
# The sequence of the brakes may be locked.
STORED = """
SELECT oid::regclass::text, relowner::regrole::text, relacl::text, relfilenode FROM pg_class
WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""
SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename <> 'brake' ORDER BY 1"
SERVER = {
    "databases": "SELECT datname, datdba::regrole::text, datacl::text, datallowconn, datconnlimit, datistemplate "
    "FROM pg_database ORDER BY 1",
    "roles": "SELECT rolname, rolsuper, rolcanlogin FROM pg_roles ORDER BY 1",
    "settings": "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2",
    "comments": "SELECT classoid, objoid, description FROM pg_shdescription ORDER BY 1, 2",
}
AFTER_RESTORING = ("snapshot", "migrate", "own code", "drill", "drop")
SESSIONS = """
SELECT application_name, query FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = %s
"""


@dataclass(frozen=True)
class Before:
    """How everything was when the command was typed."""

    source: dict[str, object]
    files: set[str]

    @classmethod
    def of(cls, stage: Stage) -> Before:
        return cls(state(stage.source), files(stage))


def nothing_left(stage: Stage, run: Run, before: Before, ports: set[str], *, reported: bool) -> None:
    """The one check: source, servers, files, processes, ports and secrets. `reported`: a report may be there."""
    settle(lambda: list(stage.processes().values()), "processes")
    stage.host.settle()
    settle(lambda: sessions(stage.source), "sessions on the source")
    now = Before.of(stage)
    left = sorted(path for path in now.files - before.files if not (reported and "/build/" in path))
    gone = sorted(before.files - now.files)
    assert now.source == before.source, f"the source is not what it was: {now.source}, and was {before.source}"
    assert (left, gone) == ([], []), f"files left: {left}; files gone: {gone}"
    assert listening(ports) == set(), "a port is still listened on"
    assert (found := no_secret(stage, run)) == [], f"the password stands in {found}"


def indiscretions(stage: Stage, phase: str) -> list[str]:
    """What should not be so while the command runs: archives that lie about, and programs that could write."""
    archives = [path for name in ("dump", "schema") for path in stage.scratch.glob(f"greenroom-*/*/{name}")]
    if phase in AFTER_RESTORING:  # a schema that the host's pg_dump wrote has no rows
        found = [f"{path} is no longer needed" for path in archives if path.name == "dump" or not stage.way.client]
    else:
        found = [f"others may read {path}" for path in archives if not _private(path)]
    if "--via-file" not in stage.way.words:
        found += [f"{path} is on the VPN host's disk" for path in stage.host.remote_tmp.iterdir()]
    dumps = [line for line in stage.host.running() if "--format=custom" in line]
    return found + [f"it may write: {line}" for line in dumps if "default_transaction_read_only=on" not in line]


def _private(path: Path) -> bool:
    return (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def told(run: Run, code: int, says: str) -> None:
    """One clear sentence for a person, and the code for a machine; never a traceback."""
    assert "Traceback" not in run.said, run.said
    assert run.process.returncode == code, run.said
    steps = re.compile(r" *\d+\.\d s  ")
    words = "\n".join(line for line in run.said.splitlines() if not steps.match(line))
    assert re.fullmatch(says, words, re.DOTALL), f"{words!r} is not {says!r}"


def state(source: Source) -> dict[str, object]:
    """Row counts and contents of every table, a digest of the schema, and what the whole server has."""
    with source.admin() as admin:
        tables = admin.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        count = "SELECT count(*), sum(hashtext(t::text)) FROM public.{} AS t"
        rows = {name: admin.execute(sql.SQL(count).format(sql.Identifier(name))).fetchone() for (name,) in tables}
        server: dict[str, object] = {what: admin.execute(query.encode()).fetchall() for what, query in SERVER.items()}
        return {
            **server,
            "rows": rows,
            "schema": catalog.digest(catalog.read(admin)),
            "stored": admin.execute(STORED.encode()).fetchall(),
            "sequences": admin.execute(SEQUENCES.encode()).fetchall(),
        }


def sessions(source: Source) -> list[str]:
    """Of the target's role; nobody else uses it."""
    with source.admin("postgres") as admin:
        return [f"{name}: {query}" for name, query in admin.execute(SESSIONS, [source.address.user])]


def files(stage: Stage) -> set[str]:
    """Everything below TMPDIR, HOME, cache and checkout, but the rooms that stand."""
    found = [(root, path) for root in _roots(stage) for path in _below(root)]
    return {str(path) for root, path in found if not _stands(path.relative_to(root))}


def listened(stage: Stage) -> set[str]:
    """Sockets that the command and its children listen on now, by inode."""
    sockets = set()
    for pid in stage.processes():
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                if match := re.fullmatch(r"socket:\[(\d+)\]", str(descriptor.readlink())):
                    sockets.add(match[1])
    return listening(sockets)


def listening(sockets: set[str]) -> set[str]:
    """Those of them that are TCP's and in the state LISTEN (0A)."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in table if row[3] == "0A" and row[9] in sockets}


def no_secret(stage: Stage, run: Run) -> list[str]:
    """Where the planted password stands: what was printed, files here and on the VPN host, command lines."""
    written = [*_all_files(stage.place), *_all_files(stage.host.directory), run.out, run.err]
    found = [str(path) for path in written if stage.password.encode() in _content(path)]
    return found + [line for line in stage.processes().values() if stage.password in line]


def settle(left: Callable[[], list[str]], what: str) -> None:
    """Wait until nothing is left; fail when something stays."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while found := left():
        assert time.monotonic() < deadline, f"{what} left: {found}"
        time.sleep(0.05)


def _roots(stage: Stage) -> list[Path]:
    return [stage.scratch, stage.host.home, stage.cache, stage.project]


def _stands(path: Path) -> bool:
    return STANDING.fullmatch(str(path)) is not None


def _all_files(place: Path) -> Iterator[Path]:
    """But the data of a server that stands."""
    return (path for path in _below(place) if path.is_file() and "data" not in path.parts)


def _below(place: Path) -> list[Path]:
    while True:
        try:
            return list(place.rglob("*"))
        except FileNotFoundError:  # a directory went while it was looked at: so something is still being removed
            time.sleep(0.05)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
