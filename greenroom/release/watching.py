"""Watching a deployment to its end: its phases, where the traffic is, how the targets are; and why it failed."""

from __future__ import annotations

import time
from collections.abc import Callable

from greenroom.console import Progress as Display
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.interrupts import shielded
from greenroom.rehearsal.report.words import duration
from greenroom.release import health
from greenroom.release.deployer import Deployer, Progress
from greenroom.release.patience import left_alone, patient
from greenroom.release.place import Place

POLL_SECONDS = 5.0
SAID = {
    "waiting": "waiting for the deployment to begin",
    "baking": "baking: the old side is kept for a way back",
    "ready": "green is ready, and waits for somebody to let the traffic go",
}


def begin(
    guard: Guard,
    where: Place,
    deployer: Deployer,
    display: Display,
    start: Callable[[], str],
    begun: Callable[[str], None],
) -> Progress:
    """Start a deployment, tell `begun` its id, and watch it. Who stops watching stops no deployment: that is said."""
    with left_alone() as left:
        with shielded():  # a signal waits until it is known what was begun
            deployment = start()
            left.behind(*_left(where, deployment))
        begun(deployment)
        return _watched(guard, where, deployer, deployment, display)


def watch(guard: Guard, where: Place, deployer: Deployer, deployment: str, display: Display) -> Progress:
    """One that is under way, to its end. Raises GreenroomError, with all that is known, when that takes too long."""
    with left_alone() as left:
        left.behind(*_left(where, deployment))
        return _watched(guard, where, deployer, deployment, display)


def lines(guard: Guard, where: Place, now: Progress) -> list[str]:
    """All that is known of a deployment, for people: its phases, its sides, why tasks stopped."""
    told = [
        f"{_mark(phase.status)} {phase.name}{_seconds(phase.seconds)}{_said(phase.message)}" for phase in now.phases
    ]
    told += [f"traffic: {now.traffic}"] if now.sides else []
    told += health.of_sides(guard, now)
    if now.task_definition and not (now.over and now.state == "succeeded"):
        told += health.stopped(guard, where, now.task_definition)
    return told


def failure(guard: Guard, where: Place, now: Progress) -> str:
    """Why a deployment did not succeed, in a sentence and the lines that prove it."""
    phase = now.failed_phase
    where_it_was = f" in {phase.name}" if phase else ""
    back = f"\n  taken back by deployment {now.rollback}" if now.rollback else ""
    known = "".join(f"\n  {line}" for line in lines(guard, where, now))
    return f"deployment {now.id} {now.state}{where_it_was}: {now.reason or 'no reason was given.'}{known}{back}"


def _watched(guard: Guard, where: Place, deployer: Deployer, deployment: str, display: Display) -> Progress:
    minutes, shown = where.environment.release.deployment_minutes, ""
    deadline, last = time.monotonic() + minutes * 60, Progress(deployment, "waiting")
    while True:
        now = patient(lambda: deployer.progress(deployment))
        last = now or last
        if now and (words := _phase(now)) != shown:
            shown = words
            display.step(words)
        if now:
            display.detail(" · ".join([f"traffic: {now.traffic}", *health.of_sides(guard, now)] if now.sides else []))
            if now.over:
                return now
        if time.monotonic() > deadline:
            raise _too_long(guard, where, last, minutes)
        time.sleep(POLL_SECONDS)


def _phase(now: Progress) -> str:
    if now.state in SAID:
        return SAID[now.state]
    running = next((phase.name for phase in now.phases if phase.status == "in progress"), None)
    last = next((phase.name for phase in reversed(now.phases) if phase.status != "pending"), None)
    return running or (f"after {last}" if last else "the deployment begins")


def _too_long(guard: Guard, where: Place, now: Progress, minutes: float) -> GreenroomError:
    known = "".join(f"\n  {line}" for line in lines(guard, where, now))
    name = where.environment.name
    return GreenroomError(
        f"deployment {now.id} is not over after {minutes:g} min: {now.state}, {_phase(now)}.{known}",
        f"It goes on. Watch: ./inv status --environment {name}; take it back: ./inv rollback --environment {name}",
    )


def _left(where: Place, deployment: str) -> tuple[str, str]:
    name = where.environment.name
    return (
        f"Deployment {deployment}",
        f"See it: ./inv status --environment {name}; take it back: ./inv rollback --environment {name}",
    )


def _mark(status: str) -> str:
    return {"succeeded": "✓", "failed": "✗", "in progress": "▸", "skipped": "-"}.get(status, "·")


def _seconds(seconds: float | None) -> str:
    return f", {duration(seconds)}" if seconds is not None else ""


def _said(message: str) -> str:
    return f": {message}" if message else ""
