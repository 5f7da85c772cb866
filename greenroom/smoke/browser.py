"""One flow in a real Chromium: the log-in page as a person sees it, and, with a member, in and out again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenroom.smoke.checks import Failed, LeftOut, Pages, want
from greenroom.smoke.member import Credentials
from greenroom.smoke.site import Site
from greenroom.smoke.suite import Outcome, held

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
TIMEOUT_MS = 15_000
NAME = "in a browser"
STYLED = "[...document.styleSheets].reduce((rules, sheet) => rules + sheet.cssRules.length, 0)"


@dataclass
class Seen:
    """What the browser complained about, and what it asked others for."""

    site: Site
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """From now on."""
        page.on("console", lambda said: self._note(said.type == "error", f"the console says: {said.text}"))
        page.on("pageerror", lambda error: self._note(True, f"a script fails: {error.name}"))
        page.on("request", lambda asked: self._note(self._foreign(asked.url), f"it asks another host: {asked.url}"))
        page.on("requestfailed", lambda asked: self._note(True, f"it does not get {asked.url}"))

    def _foreign(self, url: str) -> bool:
        return not url.startswith("data:") and not self.site.owns(url)

    def _note(self, fact: bool, words: str) -> None:
        if fact:
            self.complaints.append(words)


def browse(site: Site, pages: Pages, credentials: Credentials | None) -> Outcome:
    """The flow, held as a check; left out where there is no Playwright or no Chromium."""
    began = time.monotonic()
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return Outcome(NAME, "left out", 0, "Playwright is not installed: pip install playwright")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        return Outcome(NAME, "left out", 0, f"no Chromium on PATH ({', '.join(PROGRAMS)})")
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
            try:
                page = chromium.new_page()
                page.set_default_timeout(TIMEOUT_MS)
                return held(NAME, lambda: _flow(page, site, pages, credentials))
            finally:
                chromium.close()
    except Error as error:
        return Outcome(NAME, "FAIL", time.monotonic() - began, _first_line(error.message))


def _flow(page: Page, site: Site, pages: Pages, credentials: Credentials | None) -> None:
    seen = Seen(site)
    seen.watch(page)
    page.goto(site.absolute(pages.members[0]))
    want(_path(page, site) == pages.login, f"{pages.members[0]} leads to {page.url}, not to the log-in")
    want(page.evaluate(STYLED) > 0, "the page has no style")
    want(page.locator("input[name=username]").is_visible(), "the log-in page shows no field for a user")
    if credentials:
        _as_member(page, site, pages, credentials)
    want(not seen.complaints, "; ".join(dict.fromkeys(seen.complaints)))


def _as_member(page: Page, site: Site, pages: Pages, credentials: Credentials) -> None:
    page.fill("input[name=username]", credentials.user)
    page.fill("input[name=password]", credentials.password)
    page.press("input[name=password]", "Enter")
    _wait(page, lambda: _path(page, site) == pages.members[0], "the log-in does not lead to the members' page")
    if page.locator("main a").count():
        page.locator("main a").first.click()
        page.wait_for_load_state()
        want(_path(page, site) != pages.members[0], "the first link of the members' page leads nowhere")
    leave = page.locator("form[action*=logout] button")
    if not leave.count():
        raise LeftOut("the page has no button that logs out")
    leave.click()
    _wait(page, lambda: _path(page, site) == pages.login, "the log-out does not lead to the log-in")


def _wait(page: Page, fact: Callable[[], bool], otherwise: str) -> None:
    from playwright.sync_api import TimeoutError

    try:
        page.wait_for_url(lambda _url: fact())
    except TimeoutError:
        raise Failed(otherwise) from None


def _path(page: Page, site: Site) -> str:
    return page.url.removeprefix(site.origin).partition("?")[0]


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200] if text.strip() else "it fails without a word"
