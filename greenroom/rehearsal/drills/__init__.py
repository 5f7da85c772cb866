"""The drills: further experiments on clones of the copy, when its migrations have been rehearsed.

`stage` is what they share: the copy as it was, the copy as it is now, and clones of both. Each drill has a room with
one function that holds it: `back` (down and up again), `old_release` (the code that is still running, on the new
schema), `lock_queue` (behind a client that keeps a transaction open), `crash` (ended after each statement).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import psycopg

from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired
from greenroom.copies.cloning import cloned
from greenroom.errors import GreenroomError
from greenroom.postgres.room import told
from greenroom.postgres.server import connect, unanswered
from greenroom.rehearsal.document import Drill, DrillName
from greenroom.rehearsal.drills import back, crash, lock_queue, old_release
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.watching import Watched

ROOMS: dict[DrillName, Callable[[Stage], Outcome]] = {
    "back": back.hold,
    "old-release": old_release.hold,
    "lock-queue": lock_queue.hold,
    "crash": crash.hold,
}
NAMES: tuple[DrillName, ...] = tuple(ROOMS)


LARGEST = 20_000_000_000  # bytes of a copy that is cloned without being asked
ELSEWHERE = (
    "The copy stands on a server that others use, and a drill works on clones of it there: name the drills to hold "
    "them all the same (--drills back)."
)


def refuse_unknown(request: Request) -> None:
    """Before anything is copied: raises GreenroomError where the running release is named and nobody has it."""
    asked = NAMES if request.drills is None else request.drills
    named_release = request.base or request.base_image or request.base_environment or request.base_check
    if named_release and "old-release" not in asked:
        raise GreenroomError(
            f"{named_release} is for the drill old-release, which is not among those to hold.",
            "Add it to --drills, or leave the running release out.",
        )
    old_release.refuse_unknown(request)


@contextmanager
def prepared(request: Request, copy: Acquired, progress: Progress) -> Iterator[Callable[[Watched], Stage]]:
    """Keep the copy as it is before its migration; the result is the stage when that has been watched."""
    with ExitStack() as stack:
        unasked = _not_unasked(copy) if request.drills is None else ""
        pristine, why_not, drilled = copy, "", not unasked and request.drills != ()
        if drilled or request.try_twin:
            progress.step(f"cloning the copy as it is now, for the {'drills' if drilled else 'safe twin'}")
            try:
                pristine = stack.enter_context(cloned(copy, request.source))
            except GreenroomError as error:
                why_not = error.sentence
        yield lambda watched: Stage(request, copy, pristine, watched, progress, why_not, unasked)


def hold(stage: Stage) -> list[Outcome]:
    """The drills that were asked for, or all."""
    names = NAMES if stage.request.drills is None else stage.request.drills
    return [_held(stage, name) for name in NAMES if name in names] if stage.watched.plan.migrations else []


def _not_unasked(copy: Acquired) -> str:
    """Why no clone is made for drills that nobody has named; empty where one is."""
    return ELSEWHERE if not copy.own_server and copy.kind != "clone" else too_large(copy)


def too_large(copy: Acquired) -> str:
    """Why clones of it are not made unasked; empty where they are quick: small, or sharing their blocks."""
    if copy.size_bytes <= LARGEST:
        return ""
    with connect(copy.admin) as connection:
        row = connection.execute("SELECT current_setting('file_copy_method', true)").fetchone()
    if row and row[0] == "clone":
        return ""
    return (
        f"The copy has {told(copy.size_bytes)}, and each drill works on a clone of it: name the drills to hold them "
        "all the same (--drills back), or have TMPDIR on a file system whose files share blocks (XFS, btrfs)."
    )


def _held(stage: Stage, name: DrillName) -> Outcome:
    """One after the other: two at once would wait for each other's processor."""
    if stage.watched.error:
        return _without(name, "not run", "The migration did not finish, so there is nothing to drill.")
    if stage.unasked:
        return _without(name, "not run", stage.unasked)
    if stage.why_not:
        return _without(name, "broken off", stage.why_not)
    stage.progress.step(f"drill: {name}")
    began = time.monotonic()
    try:
        outcome = ROOMS[name](stage)
    except GreenroomError as error:
        outcome = _without(name, "broken off", error.sentence)
    except psycopg.Error as error:  # a policy, or a function in one, that the migration made; a server that goes away
        outcome = _without(name, "broken off", unanswered(error))
    outcome.drill.seconds = round(time.monotonic() - began, 3)
    return outcome


def _without(name: DrillName, status: Literal["not run", "broken off"], reason: str) -> Outcome:
    """One that was not held, or not to its end; never a pass."""
    return Outcome(Drill(name=name, status=status, reason=reason))


def named(text: str) -> tuple[DrillName, ...]:
    """`back,crash`, as `--drills` takes it; `none` for none. Raises GreenroomError naming those that there are."""
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    if wanted == ["none"]:
        return ()
    known = {str(name): name for name in NAMES}
    if not wanted or (unknown := [word for word in wanted if word not in known]):
        what = f"there is no drill {unknown[0]}" if wanted else "--drills names no drill"
        raise GreenroomError(f"{what}; there are {', '.join(NAMES)}.", "For example: --drills back,crash, or none")
    return tuple(known[word] for word in wanted)


__all__ = ["NAMES", "Outcome", "Stage", "hold", "named", "prepared", "refuse_unknown"]
