"""Can the release before live on the schema that the release after it has left? Only a rehearsal has tried that."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.guard import Guard
from greenroom.release.place import Place
from greenroom.release.rehearsals import Stored, of_image


@dataclass(frozen=True)
class Schema:
    """`allows` None: nobody has tried."""

    allows: bool | None
    sentence: str


def ask(guard: Guard, where: Place, image: str | None) -> Schema:
    """By the documents of the image that is left. Raises AwsError, GreenroomError where there is no bucket."""
    return judged(of_image(guard, where, image) if image else [])


def judged(documents: list[Stored]) -> Schema:
    """Which of an image's plans was migrated is on no record here, so one drill that failed is enough for a no.

    A later rehearsal of the same image, held when nothing was pending any more, would else take its place.
    """
    drills = [drill for one in documents if (drill := one.old_release)]
    failed = [drill for drill in drills if drill.status == "failed"]
    passed = [drill for drill in drills if drill.status == "passed"]
    if failed:
        return Schema(False, f"the schema does not allow it: the release before failed on it: {failed[0].reason}")
    if passed:
        return Schema(True, f"The schema allows it: a rehearsal tried the release before on it: {passed[0].reason}")
    if drills:
        told = f"the drill was {drills[0].status}: {drills[0].reason}"
        return Schema(None, f"Whether the schema allows it is not known: {told}")
    return Schema(None, "Whether the release before can live on this schema is not known: no rehearsal tried it.")


def moved_on(task_definition: str, newest: str) -> Schema:
    """Where something newer than what runs may have migrated, so that the schema is another than the drill's."""
    return Schema(
        None,
        f"Whether {task_definition} can live on this schema is not known: {newest} was registered after what runs, "
        "and may have migrated.",
    )


def of_another(task_definition: str) -> Schema:
    """Where somebody goes further back than to the release before."""
    return Schema(
        None, f"Whether {task_definition} can live on this schema is not known: rehearsals try the release before."
    )
