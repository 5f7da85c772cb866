"""The page in a real browser: nothing is requested, nothing is complained about, everything fits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from greenroom.rehearsal.report import files, timeline
from tests.rehearsal import examples

pytestmark = pytest.mark.full

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (1280, 390)


@dataclass
class Opened:
    """A page, and what it did that it should not."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = _chromium(playwright)
        yield started
        started.close()


def _chromium(playwright: Playwright) -> Browser:
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        missing = "No Chromium on PATH: apt-get install chromium, and the report's page is looked at too."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return playwright.chromium.launch(executable_path=program, args=FLAGS)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reports")
    for name, example in examples.ALL.items():
        rehearsal = example()
        rehearsal.id = name
        files.write(rehearsal, directory)
    return directory


def opened(browser: Browser, file: Path, *, width: int = 1280, dark: bool = False) -> Opened:
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    found = Opened(page)
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(file.as_uri())
    return found


@pytest.mark.parametrize("name", examples.ALL)
@pytest.mark.parametrize("width", WIDTHS)
def test_page_opens_quietly_and_fits(browser: Browser, reports: Path, name: str, width: int) -> None:
    file = reports / name / files.PAGE
    found = opened(browser, file, width=width)
    assert found.complaints == []
    assert [url for url in found.requests if not url.startswith("data:")] == [file.as_uri()]
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.page.evaluate("document.scripts.length") == 0
    found.page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_lanes_are_drawn_inside_the_window(browser: Browser, reports: Path, width: int) -> None:
    page = opened(browser, reports / "failed" / files.PAGE, width=width).page
    lanes = page.locator(".tl-lane")
    assert lanes.count() == 5
    for lane in lanes.all():
        box = lane.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator(".tl-lane").first.locator(".tl-name:visible").text_content() == "ledger_statement"
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_texts_of_the_timeline_do_not_touch(browser: Browser, reports: Path, width: int) -> None:
    page = opened(browser, reports / "failed" / files.PAGE, width=width).page
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('.tl text')]
              .map(t => [t.textContent, t.getBoundingClientRect()]).filter(([text, box]) => text && box.width)
              .map(([text, b]) => [text, b.left, b.top, b.right, b.bottom])"""
    )
    assert len(boxes) > 15
    band = {text for text, *_ in boxes if text[:1].isdigit() and "ledger" in text}  # clipped by their band
    touching = [
        (one[0], other[0])
        for at, one in enumerate(boxes)
        for other in boxes[at + 1 :]
        if not {one[0], other[0]} & band
        and one[1] < other[3]
        and other[1] < one[3]
        and one[2] + 2 < other[4]
        and other[2] + 2 < one[4]
    ]
    assert touching == []
    page.close()


def test_shortest_stall_is_seen(browser: Browser, reports: Path) -> None:
    page = opened(browser, reports / "failed" / files.PAGE).page
    lane = page.locator(".tl-lane").nth(3)
    assert lane.locator(".tl-name:visible").text_content() == "audit.event_archive"
    mark = lane.locator(".tl-mark").first
    assert float(mark.evaluate("node => parseFloat(getComputedStyle(node).strokeWidth)")) >= 2
    assert lane.locator("title").first.text_content() == (
        "audit.event_archive: readers stood still for 12 ms, from 7.000 s to 7.012 s, "
        "during ledger.0008_statement_duration_bigint (derived from the locks)"
    )
    page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_contrast(browser: Browser, reports: Path, dark: bool) -> None:
    page = opened(browser, reports / "broken" / files.PAGE, dark=dark).page
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 50
    assert [(text, ratio) for text, ratio in ratios if ratio < 4.5] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 20, 22)" if dark else "rgb(246, 244, 239)")
    page.close()


# WCAG 2: relative luminance of each text against the nearest background that is not transparent.
CONTRAST = """() => {
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
      .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour[3] === undefined || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest('svg') || !node.checkVisibility()) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(node).color)), luminance(ground(node))].sort((x, y) => y - x);
    found.push([walker.currentNode.data.trim().slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return found;
}"""


def test_keyboard_opens_a_migration(browser: Browser, reports: Path) -> None:
    page = opened(browser, reports / "failed" / files.PAGE).page
    third = page.locator("#migration-3")
    assert third.evaluate("node => node.open") is False
    third.locator("summary").focus()
    page.keyboard.press("Enter")
    assert third.locator("pre").first.is_visible()
    page.close()


def test_print_shows_what_is_folded(browser: Browser, reports: Path) -> None:
    page = opened(browser, reports / "failed" / files.PAGE).page
    third = page.locator("#migration-3 pre").first
    assert not third.is_visible()
    page.emulate_media(media="print")
    assert third.is_visible()
    assert page.pdf().startswith(b"%PDF")
    page.close()


def test_timeline_stands_as_a_picture_of_its_own(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "timeline.svg").write_text(timeline.svg(examples.failed(), width=960), encoding="utf-8")
    (tmp_path / "page.html").write_text('<!DOCTYPE html><title>x</title><img src="timeline.svg">')
    found = opened(browser, tmp_path / "page.html")
    assert found.complaints == []
    assert found.page.evaluate("document.images[0].naturalWidth") == 960
    found.page.close()
