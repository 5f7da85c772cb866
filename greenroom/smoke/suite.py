"""All checks in their order, and the table of what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from greenroom.smoke import member
from greenroom.smoke.checks import CHECKS, Check, Failed, LeftOut, Pages
from greenroom.smoke.member import PASSWORD, USER, Credentials
from greenroom.smoke.site import NothingAnswers, Site

State = Literal["ok", "FAIL", "left out"]

DEFAULT_PAGES = Pages()
LOG_IN = "log-in"
MEMBERS: dict[str, Check] = {"members' pages": member.see_pages, "log-out": member.log_out}


@dataclass(frozen=True)
class Outcome:
    """`note` says what is wrong, or why it was left out."""

    name: str
    state: State
    seconds: float
    note: str = ""


def smoke(site: Site, pages: Pages = DEFAULT_PAGES, credentials: Credentials | None = None) -> list[Outcome]:
    """Everything but the browser. Raises NothingAnswers when there is no answer to the first question."""
    site.get("/livez")
    found = [held(name, partial(check, site, pages)) for name, check in CHECKS.items()]
    return [*found, *_as_member(site, pages, credentials)]


def held(name: str, check: Callable[[], None]) -> Outcome:
    """Run a check, and take its time."""
    began = time.monotonic()
    state, note = _state(check)
    return Outcome(name, state, time.monotonic() - began, note)


def failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether a single one is."""
    return any(outcome.state == "FAIL" for outcome in outcomes)


def let_in(outcomes: Sequence[Outcome]) -> bool:
    """Whether the log-in was tried, and worked."""
    return any(outcome.name == LOG_IN and outcome.state == "ok" for outcome in outcomes)


def table(site: Site, outcomes: Sequence[Outcome]) -> str:
    """A line each, and how many there are of which state."""
    width = max(len(outcome.name) for outcome in outcomes)
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in ("ok", "FAIL", "left out")}
    words = {"ok": "passed", "FAIL": "failed", "left out": "left out"}
    told = ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)
    return "\n".join([*(_line(outcome, width) for outcome in outcomes), f"{site.origin}: {told}"])


def _as_member(site: Site, pages: Pages, credentials: Credentials | None) -> list[Outcome]:
    first = Outcome(LOG_IN, "left out", 0, f"it writes a session there: only where {USER} and {PASSWORD} are set")
    if credentials:
        first = held(LOG_IN, partial(member.log_in, site, pages, credentials))
    if first.state != "ok":
        return [first, *(Outcome(name, "left out", 0, "no log-in") for name in MEMBERS)]
    return [first, *(held(name, partial(check, site, pages)) for name, check in MEMBERS.items())]


def _state(check: Callable[[], None]) -> tuple[State, str]:
    try:
        check()
    except Failed as error:
        return "FAIL", str(error)
    except NothingAnswers as error:
        return "FAIL", f"nothing answers: {error}"
    except LeftOut as error:
        return "left out", str(error)
    return "ok", ""


def _line(outcome: Outcome, width: int) -> str:
    took = "" if outcome.state == "left out" else f"{outcome.seconds * 1000:.0f} ms"
    return f"{outcome.state:8}  {outcome.name:{width}}  {took:>8}  {outcome.note}".rstrip()
