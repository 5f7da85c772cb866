"""Can an older release live on the schema that a newer one has left? Only a rehearsal of the two has tried that."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from greenroom.aws import AwsError
from greenroom.guard import Guard
from greenroom.image.planning import COMMIT_SHOWN
from greenroom.rehearsal.document import Drill, Release
from greenroom.release.place import Place
from greenroom.release.rehearsals import Stored, of_image

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class Schema:
    """`allows` None: nobody has tried."""

    allows: bool | None
    sentence: str


@dataclass(frozen=True)
class Older:
    """The release that a rollback goes to: its task definition, its image's digest, and the tags which that has."""

    name: str
    digest: str | None
    tags: tuple[str, ...] = ()

    def tried_by(self, drill: Drill) -> bool:
        """Whether the drill is known to have tried this release, and not another: by digest, or by commit."""
        release = drill.release
        if release is None:
            return False
        same = release.digest is not None and release.digest == self.digest
        commit = release.commit or ""
        return same or (_COMMIT.fullmatch(commit) is not None and commit[:COMMIT_SHOWN] in self.tags)

    @property
    def told(self) -> str:
        """Which one it is."""
        tagged = f", tagged {', '.join(self.tags)}" if self.tags else ""
        return f"{self.name} is {self.digest[:19] if self.digest else 'of an image without a digest'}{tagged}"


def ask(guard: Guard, where: Place, image: str | None, older: Older) -> Schema:
    """By the documents of the image that is left. Raises AwsError, GreenroomError where there is no bucket."""
    documents = of_image(guard, where, image) if image else []
    if any(one.old_release and not older.tried_by(one.old_release) for one in documents):
        older = replace(older, tags=_tags(guard, where, older.digest))
    return judged(documents, older)


def judged(documents: list[Stored], older: Older) -> Schema:
    """Which of an image's plans was migrated is on no record here, so one drill that failed is enough for a no.

    A later rehearsal of the same image, held when nothing was pending any more, would else take its place. A pass is
    one for the release that was tried; a failure is a no for others too, since nobody has seen them do better.
    """
    drills = [drill for one in documents if (drill := one.old_release)]
    drills.sort(key=older.tried_by, reverse=True)
    failed = [drill for drill in drills if drill.status == "failed"]
    passed = [drill for drill in drills if drill.status == "passed"]
    if failed:
        who = older.name if older.tried_by(failed[0]) else "an older release"
        return Schema(False, f"the schema does not allow it: {who} failed on it: {failed[0].reason}")
    if passed and older.tried_by(passed[0]):
        return Schema(True, f"The schema allows it: a rehearsal tried {older.name} on it: {passed[0].reason}")
    unknown = f"Whether {older.name} can live on this schema is not known"
    if passed:
        return Schema(None, f"{unknown}: a rehearsal tried {_told(passed[0].release)}, and {older.told}.")
    if drills:
        return Schema(None, f"{unknown}: the drill was {drills[0].status}: {drills[0].reason}")
    return Schema(None, f"{unknown}: no rehearsal tried it.")


def moved_on(task_definition: str, newest: str) -> Schema:
    """Where something newer than what runs may have migrated, so that the schema is another than the drill's."""
    return Schema(
        None,
        f"Whether {task_definition} can live on this schema is not known: {newest} was registered after what runs, "
        "and may have migrated.",
    )


def unseen(task_definition: str, why: str) -> Schema:
    """Where nobody tells whether there is such a newer one."""
    return Schema(
        None,
        f"Whether {task_definition} can live on this schema is not known: what was registered after what runs is not "
        f"told: {why}",
    )


def _told(release: Release | None) -> str:
    if release is None:
        return "a release that its document does not name"
    facts = [f"commit {release.commit[:COMMIT_SHOWN]}"] if release.commit else []
    if release.digest:
        return ", ".join([release.digest[:19], *facts])
    return f"{release.name} ({', '.join(facts) or 'neither digest nor commit is known'})"


def _tags(guard: Guard, where: Place, digest: str | None) -> tuple[str, ...]:
    """Of an image: `./inv build --push` names it after its commit. None where ECR does not tell: that stops nobody."""
    if digest is None:
        return ()
    there = {"registryId": where.environment.account, "repositoryName": where.repository}
    try:
        answer = guard.call("ecr", "describe_images", **there, imageIds=[{"imageDigest": digest}])
    except AwsError:
        return ()
    return tuple(tag for one in answer.get("imageDetails") or () for tag in one.get("imageTags") or ())
