"""Making an image, from a plan to what is said of it; and, where it is pushed, to the three files of a release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from greenroom import console
from greenroom.config import Environment
from greenroom.docker_images import images
from greenroom.errors import GreenroomError
from greenroom.image import building, layers, release_files, repository
from greenroom.image.planning import Plan
from greenroom.image.repository import Repository


@dataclass(frozen=True)
class Destination:
    """Where a pushed image goes, and the templates of its release, filled in."""

    environment: Environment
    repository: Repository
    texts: dict[str, str]


def check(plan: Plan) -> Destination | None:
    """All that can be known before the build, which is long: templates, account, repository. None: it stays here."""
    if plan.environment is None:
        return None
    texts = release_files.filled(plan.config, plan.environment)
    return Destination(plan.environment, repository.found(plan.environment, plan.config.image.stored_as), texts)


def make(plan: Plan, destination: Destination | None) -> Iterator[str]:
    """Build it, push it where there is a destination, and yield what is to be said, as soon as it is known."""
    with console.progress() as progress:
        building.check(plan)
        if destination:
            _log_in(destination)
        built = building.build(plan, progress)
    made = layers.record(plan, built)
    yield layers.table(made, layers.remembered(plan.config))
    layers.remember(plan.config, made)
    if destination:
        yield from _release(plan, destination)


def _log_in(destination: Destination) -> None:
    host = destination.repository.login.host
    with images() as here:
        try:
            here.log_in(destination.repository.login)
        except GreenroomError as error:
            raise GreenroomError(
                f"the registry {host} does not let us in: {error.sentence}",
                "Its password is ECR's, of this moment: see the clock, a proxy in between, and the account's policies.",
            ) from error


def _release(plan: Plan, destination: Destination) -> Iterator[str]:
    there = destination.repository
    with console.progress() as progress, images() as here:
        progress.step(f"pushing {there.uri}:{plan.tag}")
        digest = here.push(plan.name, there.uri, plan.tag, there.login, progress)
    yield f"pushed {there.uri}:{plan.tag}\n  {digest}"
    directory = plan.config.root / plan.config.image.release_dir
    for path in release_files.write(directory, destination.texts, f"{there.uri}@{digest}"):
        yield f"wrote {path.relative_to(plan.config.root)}"
