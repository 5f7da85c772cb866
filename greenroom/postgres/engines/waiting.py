"""Asking AWS until something is ready, or until it lets itself be deleted; Ctrl-C is heard between two questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from greenroom.aws import AwsError
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
LONGEST_SECONDS = 4 * 3600.0  # until a copy is ready: a fresh snapshot of terabytes takes hours
SILENCE_SECONDS = 300.0  # how long AWS may be out of reach before we give up on it
APPEARS_SECONDS = 120.0  # what was just made may be unknown to the next question
DELETION_SECONDS = 900.0  # AWS deletes nothing that it is still making
_BROKEN = ("failed", "inaccessible-encryption-credentials", "restore-error", "storage-full", "stopped", "deleting")


def pauses() -> Iterator[float]:
    """Seconds: short at first, then as long as AWS likes its clients to wait."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def until_available(what: str, status: Callable[[], str | None], progress: Progress) -> None:
    """Ask for the `status` (None: there is no such thing yet) until it is `available`.

    A spell in which AWS cannot be reached, or throttles, is sat out. Raises GreenroomError when the thing has failed,
    has vanished, or takes longer than LONGEST_SECONDS; AwsError when AWS refuses to tell.
    """
    began = heard = time.monotonic()
    seen = False
    for pause in pauses():
        gone = time.monotonic() - began
        try:
            now = status()
            heard, seen = time.monotonic(), seen or now is not None
        except AwsError as error:
            if not error.transient or time.monotonic() - heard > SILENCE_SECONDS:
                raise
            now = f"AWS does not answer ({error.reason})"
        if now == "available":
            return
        _refuse_hopeless(what, now, seen, gone)
        progress.detail(f"{now or 'not there yet'} · {gone / 60:.1f} min")
        time.sleep(pause)


def until_accepted(delete: Callable[[], None], on_refusal: Callable[[AwsError], None]) -> None:
    """Delete again and again while AWS says that the time is not right, for DELETION_SECONDS at most.

    Each attempt is whole; a signal is heard between two, and so is `on_refusal`. Raises AwsError.
    """
    began = time.monotonic()
    for pause in pauses():
        try:
            with shielded():
                delete()
            return
        except AwsError as error:
            hopeless = error.why != "state" and not error.transient
            if hopeless or time.monotonic() - began > DELETION_SECONDS:
                raise
            on_refusal(error)
        time.sleep(pause)


def _refuse_hopeless(what: str, now: str | None, seen: bool, seconds: float) -> None:
    if now is None and (seen or seconds > APPEARS_SECONDS):
        raise GreenroomError(f"{what} has vanished: somebody else deleted it.", "Run again.")
    word = (now or "").partition(" ")[0]
    if word in _BROKEN or word.startswith("incompatible-"):
        raise GreenroomError(
            f"{what} will not become available: AWS says that it is {word}.",
            "The events of the RDS console say why; the next attempt makes a new one.",
        )
    if seconds > LONGEST_SECONDS:
        raise GreenroomError(
            f"{what} is not available after {LONGEST_SECONDS / 3600:.0f} hours (it is {now}).",
            "Look at it in the RDS console, then run again.",
        )
