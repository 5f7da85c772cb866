"""Every row of the catalogue on its examples: the figures of docs/hazards.md, and the page itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import embedded
from greenroom.rehearsal.document import Rehearsal
from tests.hazards import harness, page, releases
from tests.hazards.page import Figure

MAJOR = 18


def run() -> bool:
    """Measure, and write; true when every row was found."""
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as place, embedded(binaries=of_major(MAJOR)) as server:
        with harness.shop(server, Path(place) / "shop") as source:
            for hazard in harness.hazards():
                bad = [path for path in harness.bad() if path.parent.name == hazard][:1]
                sides: list[Rehearsal] = []
                for number, paths in enumerate((bad, harness.good(hazard))):
                    project = harness.write_project(Path(place) / f"{hazard}-{number}", paths)
                    with harness.furnished(source, hazard) as furnished:
                        sides.append(harness.rehearsed(furnished, project))
                figures[hazard] = _told(hazard, *sides)
        for hazard in releases.rows():
            sides = []
            for example in ("new", "good"):
                with releases.stock(server, Path(place) / f"{hazard}-{example}", hazard) as (source, project):
                    releases.release(project, harness.HERE / hazard / example)
                    sides.append(releases.rehearsed(source, project))
            figures[hazard] = _told(hazard, *sides)
    page.write_figures(figures)
    page.write_page()
    print("written: tests/hazards/figures.json and docs/hazards.md")
    return True


def _told(hazard: str, bad: Rehearsal, good: Rehearsal) -> Figure:
    found = page.figure(hazard, bad, good)
    print(f"{hazard}: {found.summary}", flush=True)
    return found
