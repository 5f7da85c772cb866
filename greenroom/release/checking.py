"""`release-check`: the gate alone, for whoever needs nothing but its answer."""

from __future__ import annotations

from greenroom import aws
from greenroom.guard import Guard
from greenroom.release import files, gate
from greenroom.release.preparing import located


def check(environment: str, image: str | None) -> str:
    """What a release of the image may rest on. Raises GreenroomError (exit code 1) where there is nothing."""
    config, where = located(environment)
    digest = files.digest(config, image)
    with Guard(where.environment) as guard:
        aws.check_account(where.environment)
        found = gate.gate(guard, where, digest)
    gate.refuse_shut(found)
    return f"{digest[:19]} may migrate {environment}: {found.sentence}"
