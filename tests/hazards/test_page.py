"""docs/hazards.md says what the catalogue and the examples say today, docs/detection.md what was detected."""

from __future__ import annotations

from greenroom.rehearsal.hazards import CATALOGUE
from tests.bench import detection
from tests.bench.detection import Row
from tests.bench.peers import PEERS
from tests.hazards import page, releases
from tests.hazards.harness import hazards


def test_page_is_fresh() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.read_figures()), "python -m tests.hazards.page"


def test_every_row_was_measured() -> None:
    assert sorted(page.read_figures()) == sorted(CATALOGUE)


def test_page_of_who_finds_what_is_fresh() -> None:
    text = detection.PAGE.read_text(encoding="utf-8")
    begins = tuple(f"- {peer}: " for peer in PEERS)
    versions = [line for line in text.splitlines() if line.startswith((*begins, "- greenroom "))]
    assert text == detection.page(detection.read(), versions)
    assert all([row.hazard for row in rows] == known() for rows in detection.read().values())


def known() -> list[str]:
    """The catalogue's rows in the bench's order: those of two releases first."""
    return [*releases.rows(), *hazards()]


def test_a_row_stands_for_every_version_that_was_run() -> None:
    tables = {
        18: [Row("H01", {"greenroom", "squawk"}, {"squawk"}), Row("H02", {"greenroom"})],
        15: [Row("H01", {"greenroom", "squawk"}), Row("H02", set(), set(), {"zero-downtime"})],
    }
    lines = detection.page(tables, ["- of one day"]).splitlines()
    assert lines[-5:] == [
        "| row | what | greenroom on 18 | greenroom on 15 | squawk | migration-linter | safe-migrations "
        "| zero-downtime |",
        "|---|---|---|---|---|---|---|---|",
        "| H01 | index-blocking | found | found | found, alarm on 18; found on 15 | – | – | – |",
        "| H02 | like-index-twin | found | – | – | – | – | – on 18; failed on 15 |",
        "| | **2 rows** | 2 found, 0 alarms | 1 found, 0 alarms | 1 found, 1 alarms on 18; 1 found, 0 alarms on 15 "
        "| 0 found, 0 alarms | 0 found, 0 alarms | 0 found, 0 alarms |",
    ]
