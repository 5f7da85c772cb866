"""What `doctor`, `release-migrate` and `deploy` begin with: an image, a place, and what is known of both."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom import aws
from greenroom import config as configuration
from greenroom.environment import registry as registries
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.release import files, gate, place
from greenroom.release.codedeploy import CodeDeploy
from greenroom.release.doctor import Check, Subject, examine
from greenroom.release.place import Place


@dataclass(frozen=True)
class Options:
    """What was typed: `image` a digest, None: the one that was pushed last from here."""

    environment: str
    image: str | None = None
    unrehearsed: str | None = None
    despite_alarm: str | None = None


def located(environment: str) -> tuple[configuration.Config, Place]:
    """The configuration, and where an environment's releases go. Raises GreenroomError."""
    config = configuration.load()
    return config, place.place(config, config.environment(environment))


def subject(options: Options, guard: Guard, config: configuration.Config, where: Place) -> Subject:
    """All that is checked here and now, before AWS is asked for more. Raises GreenroomError, AwsError."""
    if options.despite_alarm is not None and not options.despite_alarm.strip():
        raise GreenroomError(
            "--despite-alarm needs a reason: it goes on record.", 'For example: --despite-alarm "this mends it"'
        )
    digest = files.digest(config, options.image)
    registry = registries.load(config)
    filled = files.files(config, where.environment, registry)
    aws.check_account(where.environment)
    return Subject(
        config=config,
        registry=registry,
        where=where,
        guard=guard,
        deployer=CodeDeploy(guard, where),
        files=filled,
        digest=digest,
        service=place.service(guard, where),
        gate=gate.gate(guard, where, digest, options.unrehearsed),
        despite_alarm=options.despite_alarm,
    )


def examined(found: Subject) -> list[Check]:
    """The checks of the pre-flight, printed one by one as they are made."""
    print(found.where.shown)
    checks = []
    for check in examine(found):
        print(check.line, flush=True)
        checks.append(check)
    return checks
