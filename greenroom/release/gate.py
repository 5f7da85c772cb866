"""May this image migrate that environment's database? Only by a plan that a passing rehearsal of this image had.

The answer is a set of plans, not a yes: which plan is pending there, only the one-off task sees, and it refuses every
other (greenroom/release/inside.py). So the check and the migration look at the same state, in one process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.guard import Guard
from greenroom.rehearsal.report.words import duration
from greenroom.release.place import Place
from greenroom.release.rehearsals import Stored, of_image

ANY = "any"
PLANS = 20  # that fit into the one-off task's command


@dataclass(frozen=True)
class Gate:
    """What is known of an image's rehearsals. `unrehearsed` is why somebody goes without."""

    where: Place
    digest: str
    documents: tuple[Stored, ...]
    unrehearsed: str | None = None

    @property
    def passing(self) -> list[Stored]:
        """The documents that a release may rest on, the newest first."""
        return [one for one in self.documents if not one.wrong][:PLANS]

    @property
    def open(self) -> bool:
        """Whether the one-off task may begin."""
        return bool(self.passing or self.unrehearsed)

    @property
    def plans(self) -> list[str]:
        """What the one-off task is let to migrate by."""
        return [ANY] if self.unrehearsed else [one.plan for one in self.passing]

    @property
    def sentence(self) -> str:
        """One line."""
        if self.passing:
            return "; ".join(_told(one) for one in self.passing)
        if self.documents:
            newest = self.documents[0]
            return f"the rehearsal of this image, plan {newest.plan[:12]}, {newest.wrong}"
        return f"no rehearsal of {self.digest[:19]} is known"

    @property
    def remedy(self) -> str:
        """What to type where it is shut."""
        return (
            f"Rehearse it: ./inv migrate-rehearse --target NAME --image {self.where.image(self.digest)}; "
            f"then ./inv rehearsal-push --environment {self.where.environment.name}; "
            "or go without, on record: --unrehearsed REASON"
        )


def gate(guard: Guard, where: Place, digest: str, unrehearsed: str | None = None) -> Gate:
    """Raises GreenroomError for an empty reason and a missing bucket; AwsError."""
    if unrehearsed is not None and not unrehearsed.strip():
        raise GreenroomError(
            "--unrehearsed needs a reason: it goes on record.", 'For example: --unrehearsed "hotfix 1234"'
        )
    return Gate(where, digest, tuple(of_image(guard, where, digest)), unrehearsed)


def refuse_shut(found: Gate) -> None:
    """Raise GreenroomError (exit code 1: the answer is no) where nothing may migrate."""
    if not found.open:
        raise GreenroomError(f"{found.sentence}: not released.", found.remedy, code=ANSWER_IS_NO)


def _told(one: Stored) -> str:
    age = duration((datetime.now(UTC) - one.modified).total_seconds())
    verdict = one.rehearsal.verdict if one.rehearsal else ""
    return f"{verdict}, {age} ago, plan {one.plan[:12]}: {', '.join(one.migrations) or 'nothing pending'}"
