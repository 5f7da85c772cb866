"""docs/hazards.md: every row of the catalogue with its examples and what was measured of them.

`./inv bench --suite hazards` measures anew and writes both `figures.json` and the page; `python -m tests.hazards.page`
writes the page alone, after a change of the catalogue or of an example.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from greenroom.rehearsal.document import Rehearsal
from greenroom.rehearsal.hazards import CATALOGUE
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.partitioned import ADVICE
from greenroom.rehearsal.report.words import milliseconds
from tests.hazards.harness import HERE

FIGURES = HERE / "figures.json"
PAGE = HERE.parents[1] / "docs" / "hazards.md"
KINDS = {
    "H": "harm while the migration runs",
    "C": "harm because the old release still runs on the new schema, or because nothing can go back",
    "G": "a habit that prepares later harm",
}


@dataclass(frozen=True)
class Figure:
    """What the last run measured: the finding's sentence, and the longest waits on the bad and on the good side."""

    server: str
    summary: str
    severity: str
    read_ms: float
    write_ms: float
    good_read_ms: float
    good_write_ms: float


def figure(hazard: str, bad: Rehearsal, good: Rehearsal) -> Figure:
    """Of two rehearsals: the example that shows it and its safe twin."""
    [finding] = [found for found in bad.findings if found.hazard == hazard][:1]
    return Figure(
        server=bad.fidelity.server_version,
        summary=finding.evidence.summary,
        severity=finding.severity,
        read_ms=bad.totals.read_stall_ms,
        write_ms=bad.totals.write_stall_ms,
        good_read_ms=good.totals.read_stall_ms,
        good_write_ms=good.totals.write_stall_ms,
    )


def write_figures(figures: dict[str, Figure]) -> None:
    """Keep them for the page."""
    content = {hazard: asdict(figure) for hazard, figure in sorted(figures.items())}
    FIGURES.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_figures() -> dict[str, Figure]:
    """Those of the last run."""
    return {hazard: Figure(**found) for hazard, found in json.loads(FIGURES.read_text(encoding="utf-8")).items()}


def page(figures: dict[str, Figure]) -> str:
    """The whole page."""
    rows = [CATALOGUE[hazard] for hazard in sorted(CATALOGUE)]
    head = [
        "# Hazards",
        "",
        "What can go wrong when a Django migration meets a real PostgreSQL database under traffic. A rehearsal finds",
        "each of them by measuring, never by the text of the SQL alone: how severe it is depends on your rows and your",
        "budget. The figures are those of the last run of `./inv bench --suite hazards`, on tables of 200,000 rows:",
        "they compare with each other, no more. A partitioned table is judged as one, with the rows of all its",
        "partitions.",
        "",
        *(f"- **{letter}**: {words}" for letter, words in KINDS.items()),
        "",
        "| row | name | what | readers wait | writers wait | with the safe twin |",
        "|---|---|---|--:|--:|--:|",
        *(_line(hazard, figures.get(hazard.id)) for hazard in rows),
        "",
    ]
    return "\n".join([*head, *(line for hazard in rows for line in _section(hazard, figures.get(hazard.id)))])


def _line(hazard: Hazard, found: Figure | None) -> str:
    link = f"[{hazard.id}](#{_anchor(hazard)})"
    if found is None:
        return f"| {link} | {hazard.name} | {hazard.what} | – | – | – |"
    twin = _ms(max(found.good_read_ms, found.good_write_ms))
    return f"| {link} | {hazard.name} | {hazard.what} | {_ms(found.read_ms)} | {_ms(found.write_ms)} | {twin} |"


def _section(hazard: Hazard, found: Figure | None) -> list[str]:
    measured = [f"**Measured** on PostgreSQL {found.server}: {found.summary}", ""] if found else []
    return [
        f"## {hazard.id} {hazard.name}",
        "",
        f"{hazard.what} {hazard.why}",
        "",
        *measured,
        f"**Instead**: {hazard.twin}",
        "",
        *([f"**On a partitioned table**: {ADVICE[hazard.id][0]}", ""] if hazard.id in ADVICE else []),
        *_examples(hazard.id),
    ]


def _examples(hazard: str) -> list[str]:
    """The bad and the good code, as the tests run it."""
    place = HERE / hazard
    if (place / "old").exists():
        sides = [("The old release", sorted((place / "old").glob("*.py")))]
        sides += [("The new release", sorted((place / "new").glob("*.py")))]
        sides += [("Safely", sorted((place / "good").glob("*.py")))]
    else:
        bad = [path for found in sorted(place.glob("bad*")) for path in (sorted(found.glob("*.py")) or [found])]
        setup = [place / "setup.sql"] if (place / "setup.sql").exists() else []
        sides = [("Before", setup), ("Not like this", bad), ("Safely", sorted(place.glob("good*")))]
    return [line for title, paths in sides if paths for line in _folded(title, paths)]


def _folded(title: str, paths: list[Path]) -> list[str]:
    blocks: list[str] = []
    for path in paths:
        language = "sql" if path.suffix == ".sql" else "python"
        blocks += [
            f"```{language}",
            f"{'--' if language == 'sql' else '#'} {path.name}",
            path.read_text().strip(),
            "```",
            "",
        ]
    return [f"<details><summary>{title}</summary>", "", *blocks, "</details>", ""]


def _anchor(hazard: Hazard) -> str:
    """As GitHub makes it of a heading."""
    text = f"{hazard.id} {hazard.name}".lower()
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" if letter == " " else "" for letter in text)


def _ms(ms: float) -> str:
    return milliseconds(ms) if ms else "–"


def write_page() -> None:
    """From the catalogue, the examples and the figures that are kept."""
    PAGE.write_text(page(read_figures()), encoding="utf-8")


if __name__ == "__main__":
    write_page()
