"""The lock timeline: what is drawn, and that the drawing is a well-formed picture by itself."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from greenroom.rehearsal.document import Blocked
from greenroom.rehearsal.report import timeline
from tests.rehearsal import examples


def test_picture_of_a_failure() -> None:
    picture = timeline.picture(examples.failed())
    assert [lane.table for lane in picture.lanes] == [
        "ledger_statement",
        "ledger_finding",
        "ledger_run",
        "audit.event_archive",
        "ledger_release",
    ]
    assert picture.lanes[-1].figures == "probed, nobody waited"
    assert [bar.kind for bar in picture.lanes[0].bars] == ["write", "read", "write"]
    assert picture.lanes[1].bars[0].derived
    assert {bar.kind for bar in picture.lanes[2].bars} == {"row"}
    assert all(bar.thin for bar in picture.lanes[3].bars)
    assert [band.number for band in picture.bands] == [1, 2, 3]
    assert [tick.text for tick in picture.ticks] == ["0 s", "2 s", "4 s", "6 s", "8 s"]


def test_picture_says_where_the_budget_is_used_up() -> None:
    bars = timeline.picture(examples.failed()).lanes[0].bars
    span = 9.7
    assert bars[1].over == pytest.approx(100 * (2.69 + 1.0) / span, abs=0.01)
    assert bars[2].over == pytest.approx(100 * (2.69 + 2.0) / span, abs=0.01)
    assert timeline.picture(examples.passed()).lanes[0].bars[0].over is None


def test_bar_tells_its_figures() -> None:
    bar = timeline.picture(examples.failed()).lanes[0].bars[1]
    assert bar.title == (
        "ledger_statement: readers stood still for 5.1 s, from 2.690 s to 7.750 s, "
        "during ledger.0008_statement_duration_bigint (measured by a probe, over the budget of 1.0 s)"
    )


def test_picture_of_a_broken_run_marks_the_place() -> None:
    picture = timeline.picture(examples.broken())
    assert picture.failed_at == 100.0
    assert [band.failed for band in picture.bands] == [False, True]


def test_picture_of_a_monster_is_bounded() -> None:
    picture = timeline.picture(examples.monster())
    assert len(picture.lanes) == timeline.LANES
    assert sum(len(lane.bars) for lane in picture.lanes) <= timeline.BARS
    assert picture.left_out == "and 376 more tables, none of them blocked for longer than 140 ms"
    assert picture.lanes[0].figures == "readers 140 ms · writers 140 ms · 15 longest of 80 waits"
    assert len(timeline.svg(examples.monster()).encode()) < 350_000


def test_stall_below_a_pixel_gets_a_mark() -> None:
    rehearsal = examples.failed()
    rehearsal.stalls[0].blocked = [Blocked(from_s=1.0, to_s=1.000001, reads=True, writes=False)]
    root = ElementTree.fromstring(timeline.svg(rehearsal))
    marks = root.findall(".//{*}line[@class='tl-mark tl-mark-read']")
    assert len(marks) == 2  # this one and that of audit.event_archive


@pytest.mark.parametrize(
    ("seconds", "texts"),
    [
        (0.021, ["0 ms", "5 ms", "10 ms", "15 ms", "20 ms"]),
        (0.95, ["0 ms", "200 ms", "400 ms", "600 ms", "800 ms"]),
        (1.24, ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s", "1.2 s"]),
        (9.7, ["0 s", "2 s", "4 s", "6 s", "8 s"]),
        (300.0, ["0 min", "1 min", "2 min", "3 min", "4 min", "5 min"]),
        (10_000.0, ["0 h", "0.5 h", "1 h", "1.5 h", "2 h", "2.5 h"]),
    ],
)
def test_ticks_are_round(seconds: float, texts: list[str]) -> None:
    assert [tick.text for tick in timeline._ticks(seconds)] == texts


@pytest.mark.parametrize("name", examples.ALL)
@pytest.mark.parametrize("width", [None, 960])
def test_svg_is_well_formed_and_asks_for_nothing(name: str, width: int | None) -> None:
    drawing = timeline.svg(examples.ALL[name](), width)
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("width") == ("960" if width else "100%")
    assert "<script" not in drawing
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")
    assert "\u202e" not in drawing
