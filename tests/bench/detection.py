"""Who finds what: the same bad and good migrations for Greenroom and for the linters, written to docs/detection.md.

Greenroom gets a row only for the row's own hazard. A linter gets it for anything that it says of the bad migration but
says of no particular one (`require-lock-timeout` and its like): more than a fair reading would give it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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
MAJOR = 18
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


def run() -> bool:
    """Write the table; true when no linter finds a row that Greenroom misses, and Greenroom raises no false alarm."""
    python = tool(ROOT, "python", "peers")
    with tempfile.TemporaryDirectory() as place, embedded(binaries=of_major(MAJOR)) as server:
        rows = [_release_row(server, Path(place), hazard, python) for hazard in releases.rows()]
        with harness.shop(server, Path(place) / "shop") as source:
            rows += [_row(source, Path(place), hazard, python) for hazard in harness.hazards()]
    PAGE.write_text(_page(rows, python), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    missed = [row.hazard for row in rows if "greenroom" not in row.found and row.found]
    alarms = [row.hazard for row in rows if "greenroom" in row.alarms]
    print(f"found by a linter and missed by us: {', '.join(missed) or 'none'}")
    print(f"false alarms of ours: {', '.join(alarms) or 'none'}")
    return not missed and not alarms


def _release_row(server: Server, place: Path, hazard: str, python: Path) -> Row:
    """A row that breaks the running release: the new one's migration, and that of the release that does it safely."""
    row = Row(hazard)
    with releases.stock(server, place / f"{hazard}-new", hazard) as (source, project):
        releases.release(project, releases.HERE / hazard / "new")
        found = releases.rehearsed(source, project).findings
        row.found |= {"greenroom"} if any(finding.hazard == hazard for finding in found) else set()
        told = _theirs(source, project, python, "stock")
        row.found |= {peer for peer, says in told.items() if says.speaks(hazard)}
        row.failed |= {peer for peer, says in told.items() if says.failed}
    with releases.stock(server, place / f"{hazard}-good", hazard) as (source, project):
        releases.release(project, releases.HERE / hazard / "good")
        found = releases.rehearsed(source, project).findings
        row.alarms |= {"greenroom"} if any(finding.severity != "note" for finding in found) else set()
        told = _theirs(source, project, python, "stock")
        row.alarms |= {peer for peer, says in told.items() if says.speaks(hazard)}
    _tell(row)
    return row


def _row(source: Address, place: Path, hazard: str, python: Path) -> Row:
    row = Row(hazard)
    with harness.furnished(source, hazard) as furnished:
        for number, path in enumerate(path for path in harness.bad() if path.parent.name == hazard):
            project = harness.write_project(place / f"{hazard}-bad-{number}", [path])
            row.found |= _ours(furnished, project, hazard)
            told = _theirs(furnished, project, python)
            row.found |= {peer for peer, says in told.items() if says.speaks(hazard)}
            row.failed |= {peer for peer, says in told.items() if says.failed}
        good = harness.good(hazard)
        if good:
            project = harness.write_project(place / f"{hazard}-good", good)
            row.alarms |= _our_alarms(furnished, project)
            row.alarms |= {peer for peer, says in _theirs(furnished, project, python).items() if says.speaks(hazard)}
    _tell(row)
    return row


def _tell(row: Row) -> None:
    print(f"{row.hazard}: found by {', '.join(sorted(row.found)) or 'nobody'}", flush=True)


def _ours(source: Address, project: Path, hazard: str) -> set[str]:
    rehearsal = harness.rehearsed(source, project)
    return {"greenroom"} if any(found.hazard == hazard for found in rehearsal.findings) else set()


def _our_alarms(source: Address, project: Path) -> set[str]:
    rehearsal = harness.rehearsed(source, project)
    return {"greenroom"} if any(found.severity != "note" for found in rehearsal.findings) else set()


@dataclass(frozen=True)
class Said:
    """What a linter says of a project's pending migrations."""

    rules: tuple[str, ...]
    failed: str | None

    def speaks(self, hazard: str) -> bool:
        """Whether any of it is about more than every migration."""
        return any(hazard in OF_ALL.get(rule, {hazard}) for rule in self.rules)


def _theirs(source: Address, project: Path, python: Path, app: str = "shop") -> dict[str, Said]:
    words = [python, Path(__file__).with_name("peers.py"), project, app, python.parent, str(MAJOR)]
    environment = {"PATH": os.environ["PATH"], **source.environment}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    return {peer: Said(tuple(found["says"]), found["failed"]) for peer, found in told.items()}


def _page(rows: list[Row], python: Path) -> str:
    """The table with versions, and how it was made."""
    everybody = ("greenroom", *PEERS)
    head = [
        "# Who finds what",
        "",
        "The same migrations for Greenroom and for four linters: the bad one of each row of the catalogue, and its",
        f"safe twin (tests/hazards), on PostgreSQL {MAJOR} with {harness.ROWS:,} rows a table ({releases.ROWS:,} for",
        "C01 to C09, where the running release is there for Greenroom to run: a linter has no use for it).",
        "`./inv bench --suite detection` writes this page anew.",
        "",
        "- **found**: something was said of the bad migration. Of Greenroom only the row's own hazard counts, and no",
        "  static hint, which is squawk's; of a linter anything that it does not say of every migration, whatever its",
        "  reason.",
        "- **alarm**: a warning or an error was raised on the safe twin.",
        "- **–**: nothing was said. **failed**: the linter broke off.",
        "- Examples and rows are ours, and Greenroom was developed on them: a home game. safe-migrations' infos do not",
        "  count, neither as found nor as alarm; with them it had 40 found and 37 alarms in the run before.",
        "",
        "A linter reads the migration's text and knows neither the rows nor the server: that it warns of a table of",
        "forty rows is its nature, and no row of this table. The zero-downtime backend also *mends* some migrations by",
        "itself (it builds an index CONCURRENTLY): then it has nothing to refuse.",
        "",
        *(f"- {peer}: {PACKAGES[peer]} {_version(python, PACKAGES[peer])}" for peer in PEERS),
        f"- greenroom {version('greenroom') if _installed() else 'of this checkout'}, Python {sys.version.split()[0]}",
        "",
        f"| row | what | {' | '.join(everybody)} |",
        f"|---|---|{'---|' * len(everybody)}",
    ]
    table = [
        f"| {row.hazard} | {CATALOGUE[row.hazard].name} | {' | '.join(_cell(row, who) for who in everybody)} |"
        for row in rows
    ]
    sums = [
        f"{sum(who in row.found for row in rows)} found, {sum(who in row.alarms for row in rows)} alarms"
        for who in everybody
    ]
    return "\n".join([*head, *table, f"| | **{len(rows)} rows** | {' | '.join(sums)} |", ""])


def _cell(row: Row, who: str) -> str:
    words = ["found" if who in row.found else "failed" if who in row.failed else "–"]
    return ", ".join([*words, *(["alarm"] if who in row.alarms else [])])


def _version(python: Path, package: str) -> str:
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def _installed() -> bool:
    try:
        version("greenroom")
    except Exception:
        return False
    return True
