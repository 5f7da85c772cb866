"""The record of what was released: `releases/<time>-<what>.json` in the environment's bucket, which keeps versions.

Written before anything is changed, and again when it has begun: who goes without a rehearsal is on record even where
the release breaks off.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.release.place import Place
from greenroom.release.rehearsals import put


@dataclass(frozen=True)
class Record:
    """One release or rollback."""

    kind: str
    environment: str
    at: str
    by: str
    image: str | None
    task_definition_before: str | None
    plans: tuple[str, ...] = ()
    unrehearsed: str | None = None
    despite_alarm: str | None = None
    task_definition: str | None = None
    deployment: str | None = None

    @property
    def key(self) -> str:
        """Sorted by time."""
        return f"releases/{self.at}-{self.kind}.json"

    def then(self, task_definition: str | None = None, deployment: str | None = None) -> Record:
        """The same, further on."""
        return replace(
            self,
            task_definition=task_definition or self.task_definition,
            deployment=deployment or self.deployment,
        )


def begun(guard: Guard, kind: str, image: str | None, before: str | None) -> Record:
    """A record of now, by whoever the credentials are."""
    by = str(guard.call("sts", "get_caller_identity")["Arn"])
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return Record(kind, guard.environment.name, now, by, image, before)


def allowed(record: Record, plans: list[str], unrehearsed: str | None, despite_alarm: str | None) -> Record:
    """With what it was let to migrate by, and the reasons of whoever went past a check."""
    return replace(record, plans=tuple(plans), unrehearsed=unrehearsed, despite_alarm=despite_alarm)


def complete(guard: Guard, where: Place, record: Record, say: Callable[[str], None]) -> None:
    """Write how it went on. What has begun is not broken off for it: it is said where that cannot be written."""
    try:
        write(guard, where, record)
    except GreenroomError as error:
        say(f"how it goes on is not on record: {error.sentence}")


def write(guard: Guard, where: Place, record: Record) -> None:
    """Raises GreenroomError where there is no bucket; AwsError."""
    put(guard, where, record.key, json.dumps(asdict(record), indent=2) + "\n")
