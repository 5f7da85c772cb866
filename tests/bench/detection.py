"""Who finds what: the same bad and good migrations for Greenroom and for the linters, written to docs/detection.md.

Greenroom gets a row only for the row's own hazard. A linter gets it for anything that it says of the bad migration but
says of no particular one (`require-lock-timeout` and its like): more than a fair reading would give it.

GREENROOM_BENCH_MAJORS (default `18 15`) are the server's major versions to run on; the page keeps the column of one
that was not run now. GREENROOM_BENCH_ROWS (`H01 C04`) tries these rows alone, and writes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.rehearsal.hazards import CATALOGUE
from greenroom.tools import tool
from tests.bench.peers import PEERS
from tests.hazards import harness, releases

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "detection.md"
KEPT = Path(__file__).with_name("detection.json")  # what the page is made of, by major version
MAJORS = (18, 15)
PACKAGES = {
    "squawk": "squawk-cli",
    "migration-linter": "django-migration-linter",
    "safe-migrations": "django-safe-migrations",
    "zero-downtime": "django-pg-zero-downtime-migrations",
}
# said of nearly every migration: no finding, but in the row that is about it
OF_ALL = {
    "require-lock-timeout": {"H44"},
    "require-statement-timeout": {"H44"},
    "prefer-robust-stmts": {"H06"},
}


@dataclass
class Row:
    """One hazard: who found it on the bad migration, and who raised a false alarm on the good one."""

    hazard: str
    found: set[str] = field(default_factory=set)
    alarms: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def cell(self, who: str) -> str:
        """What one of them has made of it."""
        words = ["found" if who in self.found else "failed" if who in self.failed else "–"]
        return ", ".join([*words, *(["alarm"] if who in self.alarms else [])])


Tables = Mapping[int, list[Row]]  # by major version


def run() -> bool:
    """Write the table; true when no linter finds a row that Greenroom misses, and Greenroom raises no false alarm."""
    python, chosen = tool(ROOT, "python", "peers"), os.environ.get("GREENROOM_BENCH_ROWS", "").split()
    majors = [int(major) for major in os.environ.get("GREENROOM_BENCH_MAJORS", "").split()] or MAJORS
    tables = {major: _table(major, python, chosen) for major in majors}
    if not chosen:
        KEPT.write_text(_kept({**read(), **tables}), encoding="utf-8")
        PAGE.write_text(page(read(), _versions(python)), encoding="utf-8")
        print(f"written: {KEPT.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}")
    enough = [_good_enough(major, rows) for major, rows in tables.items()]
    return all(enough)


def read() -> dict[int, list[Row]]:
    """What the runs have found so far, the newest version first."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    tables = {int(major): [Row(hazard, *map(set, who)) for hazard, *who in rows] for major, rows in kept.items()}
    return dict(sorted(tables.items(), reverse=True))


def _kept(tables: Tables) -> str:
    """As JSON, a row a line."""
    majors = []
    for major, rows in sorted(tables.items(), reverse=True):
        lines = [json.dumps([row.hazard, *map(sorted, (row.found, row.alarms, row.failed))]) for row in rows]
        majors.append(f' "{major}": [\n  ' + ",\n  ".join(lines) + "\n ]")
    return "{\n" + ",\n".join(majors) + "\n}\n"


def _table(major: int, python: Path, chosen: Sequence[str]) -> list[Row]:
    print(f"on PostgreSQL {major}:", flush=True)
    with tempfile.TemporaryDirectory() as directory, embedded(binaries=of_major(major)) as server:
        bench = Bench(Path(directory), python, major)
        rows = [bench.release_row(server, hazard) for hazard in releases.rows() if hazard in (chosen or [hazard])]
        wanted = [hazard for hazard in harness.hazards() if hazard in (chosen or [hazard])]
        if wanted:
            with harness.shop(server, bench.place / "shop") as source:
                rows += [bench.row(source, hazard) for hazard in wanted]
    return rows


def _good_enough(major: int, rows: list[Row]) -> bool:
    missed = [row.hazard for row in rows if "greenroom" not in row.found and row.found]
    alarms = [row.hazard for row in rows if "greenroom" in row.alarms]
    print(f"on PostgreSQL {major}, found by a linter and missed by us: {', '.join(missed) or 'none'}")
    print(f"on PostgreSQL {major}, false alarms of ours: {', '.join(alarms) or 'none'}")
    return not missed and not alarms


@dataclass(frozen=True)
class Said:
    """What a linter says of a project's pending migrations."""

    rules: tuple[str, ...]
    failed: str | None

    def speaks(self, hazard: str) -> bool:
        """Whether any of it is about more than every migration."""
        return any(hazard in OF_ALL.get(rule, {hazard}) for rule in self.rules)


@dataclass(frozen=True)
class Bench:
    """Where projects are written, the linters' interpreter, and the server's major version."""

    place: Path
    python: Path
    major: int

    def release_row(self, server: Server, hazard: str) -> Row:
        """One that breaks the running release: the new one's migration, and that of the release that does it safely."""
        row = Row(hazard)
        with releases.stock(server, self.place / f"{hazard}-new", hazard) as (source, project):
            releases.release(project, releases.HERE / hazard / "new")
            found = releases.rehearsed(source, project).findings
            row.found |= {"greenroom"} if any(finding.hazard == hazard for finding in found) else set()
            self._told(row, self._theirs(source, project, "stock"))
        with releases.stock(server, self.place / f"{hazard}-good", hazard) as (source, project):
            releases.release(project, releases.HERE / hazard / "good")
            found = releases.rehearsed(source, project).findings
            row.alarms |= {"greenroom"} if any(finding.severity != "note" for finding in found) else set()
            row.alarms |= _speaking(hazard, self._theirs(source, project, "stock"))
        _tell(row)
        return row

    def row(self, source: Address, hazard: str) -> Row:
        """One that hurts while it migrates: each bad example, and the good ones as one project."""
        row = Row(hazard)
        with harness.furnished(source, hazard) as furnished:
            for number, path in enumerate(path for path in harness.bad() if path.parent.name == hazard):
                project = harness.write_project(self.place / f"{hazard}-bad-{number}", [path])
                row.found |= _ours(furnished, project, hazard)
                self._told(row, self._theirs(furnished, project))
            good = harness.good(hazard)
            if good:
                project = harness.write_project(self.place / f"{hazard}-good", good)
                row.alarms |= _our_alarms(furnished, project)
                row.alarms |= _speaking(hazard, self._theirs(furnished, project))
        _tell(row)
        return row

    @staticmethod
    def _told(row: Row, told: dict[str, Said]) -> None:
        row.found |= _speaking(row.hazard, told)
        row.failed |= {peer for peer, says in told.items() if says.failed}

    def _theirs(self, source: Address, project: Path, app: str = "shop") -> dict[str, Said]:
        words = [self.python, Path(__file__).with_name("peers.py"), project, app, self.python.parent, str(self.major)]
        environment = {"PATH": os.environ["PATH"], **source.environment}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        return {peer: Said(tuple(found["says"]), found["failed"]) for peer, found in told.items()}


def _speaking(hazard: str, told: dict[str, Said]) -> set[str]:
    return {peer for peer, says in told.items() if says.speaks(hazard)}


def _tell(row: Row) -> None:
    print(f"{row.hazard}: found by {', '.join(sorted(row.found)) or 'nobody'}", flush=True)


def _ours(source: Address, project: Path, hazard: str) -> set[str]:
    rehearsal = harness.rehearsed(source, project)
    return {"greenroom"} if any(found.hazard == hazard for found in rehearsal.findings) else set()


def _our_alarms(source: Address, project: Path) -> set[str]:
    rehearsal = harness.rehearsed(source, project)
    return {"greenroom"} if any(found.severity != "note" for found in rehearsal.findings) else set()


def page(tables: Tables, versions: Sequence[str]) -> str:
    """The table with versions, and how it was made. Greenroom has a column for each server, a linter one."""
    hazards = [row.hazard for row in next(iter(tables.values()))]
    named = " and ".join(map(str, tables))
    head = [
        "# Who finds what",
        "",
        "The same migrations for Greenroom and for four linters: the bad one of each row of the catalogue, and its",
        f"safe twin (tests/hazards), on PostgreSQL {named} with {harness.ROWS:,} rows a table ({releases.ROWS:,} for",
        "C01 to C09, where the running release is there for Greenroom to run: a linter has no use for it).",
        "`./inv bench --suite detection` writes this page anew, with `GREENROOM_BENCH_MAJORS=15` one server's column.",
        "",
        "- **found**: something was said of the bad migration. Of Greenroom only the row's own hazard counts, and no",
        "  static hint, which is squawk's; of a linter anything that it does not say of every migration, whatever its",
        "  reason.",
        "- **alarm**: a warning or an error was raised on the safe twin.",
        "- **–**: nothing was said. **failed**: the linter broke off.",
        "- A linter that knows the server's version is told it; where it says something else then, both stand there.",
        "- Examples and rows are ours, and Greenroom was developed on them: a home game. safe-migrations' infos do not",
        "  count, neither as found nor as alarm; with them it had 40 found and 37 alarms in the run before.",
        "",
        "A linter reads the migration's text and knows neither the rows nor the server: that it warns of a table of",
        "forty rows is its nature, and no row of this table. The zero-downtime backend also *mends* some migrations by",
        "itself (it builds an index CONCURRENTLY): then it has nothing to refuse.",
        "",
        *versions,
        "",
        f"| row | what | {' | '.join([*(f'greenroom on {major}' for major in tables), *PEERS])} |",
        f"|---|---|{'---|' * (len(tables) + len(PEERS))}",
    ]
    rows = {major: {row.hazard: row for row in table} for major, table in tables.items()}
    table = [
        _line(hazard, {major: known[hazard] for major, known in rows.items() if hazard in known}, tables)
        for hazard in hazards
    ]
    sums = [_sum(table, "greenroom") for table in tables.values()]
    sums += [_differing({major: _sum(table, peer) for major, table in tables.items()}) for peer in PEERS]
    return "\n".join([*head, *table, f"| | **{len(hazards)} rows** | {' | '.join(sums)} |", ""])


def _line(hazard: str, rows: Mapping[int, Row], majors: Iterable[int]) -> str:
    ours = [rows[major].cell("greenroom") if major in rows else "not run" for major in majors]
    theirs = [_differing({major: row.cell(peer) for major, row in rows.items()}) for peer in PEERS]
    return f"| {hazard} | {CATALOGUE[hazard].name} | {' | '.join([*ours, *theirs])} |"


def _differing(cells: Mapping[int, str]) -> str:
    """One for all versions, or each with its own."""
    texts = list(dict.fromkeys(cells.values()))
    return texts[0] if len(texts) == 1 else "; ".join(f"{text} on {major}" for major, text in cells.items())


def _sum(rows: Iterable[Row], who: str) -> str:
    found = list(rows)
    return f"{sum(who in row.found for row in found)} found, {sum(who in row.alarms for row in found)} alarms"


def _versions(python: Path) -> list[str]:
    own = version("greenroom") if _installed() else "of this checkout"
    peers = [f"- {peer}: {PACKAGES[peer]} {_version(python, PACKAGES[peer])}" for peer in PEERS]
    return [*peers, f"- greenroom {own}, Python {sys.version.split()[0]}"]


def _version(python: Path, package: str) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def _installed() -> bool:
    try:
        version("greenroom")
    except Exception:
        return False
    return True
