"""A copy in AWS from the first call that makes something to the last that deletes it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from greenroom.aws import AwsError, refusals
from greenroom.config import AuroraTarget, RdsTarget
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import variables
from greenroom.postgres.address import Address
from greenroom.postgres.engines import resources, tags, waiting
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.engines.resources import Described, Kind, NotOurs, Resource
from greenroom.postgres.lease import Lease
from greenroom.secret import Secret


@dataclass
class Held:
    """What we make for one copy. `keep` is obeyed for a `copy` that is whole: what is half made is deleted."""

    rds: Any
    identifier: str
    terms: Lease
    progress: Progress
    keep: bool = False
    copy: EngineCopy | None = None
    made: list[Resource] = field(default_factory=list)

    def make(self, kind: Kind, call: Callable[..., Any], identifier: str | None = None, **parameters: Any) -> Resource:
        """Have AWS make something that bears the lease from the start. Raises AwsError.

        It is counted as made before: a call that was accepted can still lose its answer.
        """
        resource = Resource(kind, identifier or self.identifier)
        self.made.insert(0, resource)
        given = {key: value for key, value in parameters.items() if value is not None}
        with shielded(), refusals():
            call(**given, Tags=tags.of_lease(self.terms))
        return resource

    def available(self, resource: Resource) -> Described:
        """Wait until it is. Raises GreenroomError when it never will be."""
        waiting.until_available(str(resource), lambda: self._status(resource), self.progress)
        there = resources.describe(self.rds, resource)
        if there is None:
            raise GreenroomError(f"{resource} has vanished: somebody else deleted it.", "Run again.")
        return there

    def discard(self, resource: Resource) -> None:
        """Delete what was needed on the way only. Raises AwsError."""
        resources.delete(self.rds, resource, self.terms.id)
        self.made.remove(resource)

    def wait_to_delete(self, error: AwsError) -> None:
        """Tell whoever waits that they need not."""
        self.progress.detail(f"AWS is not ready for it ({error.reason}) · Ctrl-C leaves it to ./inv db-reap")

    def _status(self, resource: Resource) -> str | None:
        there = resources.describe(self.rds, resource)
        if there is None:
            return None
        progress = there.facts.get("PercentProgress")
        return f"{there.status} {progress} %" if progress and there.status != "available" else there.status


@contextmanager
def held(rds: Any, name: str, terms: Lease, progress: Progress, *, keep: bool) -> Iterator[Held]:
    """For what `make` makes in the block; at its end all of it is deleted, the newest first."""
    clone = Held(rds, tags.identifier(name), terms, progress, keep)
    try:
        yield clone
    finally:
        if clone.made and not (keep and clone.copy and clone.copy.whole):
            _release(clone)


def address_of(target: AuroraTarget | RdsTarget, host: str, port: int, password: Secret | None) -> Address:
    """Of the copy: the source's database, role and password, on the engine's new server."""
    return Address(host, port, target.name, target.user, password, {**variables.securing(), **target.tls})


def security_groups(target: AuroraTarget | RdsTarget, source: Described) -> list[str]:
    """Those that the target's table names for the copy, else the source's own."""
    of_source = [group["VpcSecurityGroupId"] for group in source.facts.get("VpcSecurityGroups", [])]
    return target.security_groups or of_source


def refuse_other_engine(source: Described, engine: str, hint: str) -> None:
    """Raises GreenroomError when the source is no `engine`."""
    found = str(source.facts["Engine"])
    if found != engine:
        raise GreenroomError(f"{source.resource} is {found}, and this kind of copy is of {engine}.", hint)


def _release(clone: Held) -> None:
    """Delete it; where that fails, say what was left behind and the command that removes it."""
    try:
        clone.progress.step(f"deleting {clone.identifier}")
        for resource in list(clone.made):
            with suppress(NotOurs):  # another's thing had that name already: ours was never made
                resources.delete(clone.rds, resource, clone.terms.id, clone.wait_to_delete)
        if clone.copy:
            clone.copy.dropped = True
    except GreenroomError as error:
        _tell(clone, error.sentence)
    except BaseException:  # a second Ctrl-C: somebody does not want to wait any longer
        _tell(clone, "the deletion was interrupted.")
        raise


def _tell(clone: Held, why: str) -> None:
    said = (
        f"the copy {clone.identifier} in AWS ({clone.rds.meta.region_name}) was left behind: {why} "
        f"Remove it with: ./inv db-drop {clone.identifier}"
    )
    print(said, file=sys.stderr, flush=True)  # at once: the report may never be written
    if clone.copy:
        clone.copy.notes.append(said)
