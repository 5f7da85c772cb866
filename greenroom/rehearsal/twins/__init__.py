"""The safe twin, rehearsed: migrations that would keep people waiting, said again as migrations that do not.

`wanted` is which operations these are, `writing` has the agent write the files, `trying` runs them on a clone of the
copy as it was, `contents` compares the data, `comparing` says what has become better and whether the end is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from greenroom.errors import GreenroomError
from greenroom.postgres.cluster import private_directory
from greenroom.rehearsal import document as doc
from greenroom.rehearsal.drills import Stage
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.twins import trying, wanted, writing


@contextmanager
def prepared(request: Request) -> Iterator[Request]:
    """Where a twin is wished: the request with a private directory, which hears what the migrations' operations run."""
    if not request.try_twin:
        yield request
        return
    with private_directory() as directory:
        performed = directory / "performed"
        performed.mkdir()
        if request.image:
            performed.chmod(0o777)  # its user is another one; nobody else comes through the private directory
        yield replace(request, performed=performed)


def tried(stage: Stage) -> list[doc.Twin]:
    """A twin for each migration that is found to do harm; empty where none is wished, or nothing found.

    One that fails is a result, and no reason against the others.
    """
    request, watched = stage.request, stage.watched
    if request.performed is None or watched.error or not watched.plan.migrations:
        return []
    asked = wanted.wanted(judge(watched.observations(), request.budget), watched.relations)
    if not asked:
        return []
    stage.progress.step("writing the safe twin")
    ready = [one for one in asked if one.operations]
    twins = [wanted.nothing(one) for one in asked if not one.operations]
    try:
        written = writing.write(stage, ready) if ready else []
    except GreenroomError as error:
        return [*twins, *(wanted.nothing(one, error.sentence) for one in ready)]
    twins += [one.twin for one in written if not one.files]
    twins += trying.rehearsed(stage, [one for one in written if one.files])
    order = [f"{planned.app}.{planned.name}" for planned in watched.plan.migrations]
    return sorted(twins, key=lambda twin: order.index(twin.migration))
