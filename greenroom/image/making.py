"""Making an image, from a plan to what is said of it; and, where it is pushed, to the three files of a release.

A tag that ECR keeps is pushed once. Where a commit's is there already, of an earlier run, of another environment or of
somebody who was quicker, that image is released: nothing else could be pushed by that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from greenroom import console
from greenroom.aws import AwsError
from greenroom.config import Environment
from greenroom.docker_images import images
from greenroom.errors import GreenroomError
from greenroom.image import building, layers, planning, release_files, repository
from greenroom.image.planning import Plan
from greenroom.image.repository import Pushed, Repository


@dataclass(frozen=True)
class Destination:
    """Where a pushed image goes, and the templates of its release, filled in. `there` is what has its tag already."""

    environment: Environment
    repository: Repository
    texts: dict[str, str]
    there: Pushed | None


def check(plan: Plan) -> Destination | None:
    """All that can be known before the build, which is long, of where it is pushed to. None: it stays here."""
    if plan.environment is None:
        return None
    texts = release_files.filled(plan.config, plan.environment)
    if plan.platform:
        release_files.check_processor(plan.config, texts, plan.platform.split("/")[1])
    found = repository.found(plan.environment, plan.config.image.stored_as)
    there = _there(plan, plan.environment, found)
    if there and plan.wishes.no_cache:
        raise GreenroomError(
            f"{found.uri}:{plan.tag} is there already, pushed {there.when}, and ECR lets no other take its place.",
            f"Name the new one: --tag {plan.tag}-2; or leave out --no-cache: then the one that is there is released.",
        )
    return Destination(plan.environment, found, texts, there)


def shown(plan: Plan, destination: Destination | None) -> str:
    """What is said before anything runs."""
    if destination is None or destination.there is None:
        return plan.shown
    return f"for {plan.at}: there already, so it is neither built nor pushed\n{plan.files}"


def make(plan: Plan, destination: Destination | None) -> Iterator[str]:
    """Build it, push it where there is a destination, and yield what is to be said, as soon as it is known."""
    if destination and destination.there:
        building.check_engine()
        _log_in(destination)
        yield from _take(plan, destination, destination.there)
        return
    with console.progress() as progress:
        building.check(plan)
        if destination:
            _log_in(destination)
        planning.check_unchanged(plan)
        built = building.build(plan, progress)
    if destination:
        release_files.check_processor(plan.config, destination.texts, built.architecture)
    made = layers.record(plan, built)
    yield layers.table(made, layers.remembered(plan.config))
    layers.remember(plan.config, made)
    if destination:
        yield from _push(plan, destination)


def _there(plan: Plan, environment: Environment, where: Repository) -> Pushed | None:
    """What has its tag already and keeps it; None of a tree that no commit has: its tag says nothing of it."""
    if plan.dirty or not where.keeps(plan.tag):
        return None
    return repository.pushed(environment, plan.config.image.stored_as, plan.tag)


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


def _push(plan: Plan, destination: Destination) -> Iterator[str]:
    there = destination.repository
    try:
        with console.progress() as progress, images() as here:
            progress.step(f"pushing {there.uri}:{plan.tag}")
            digest = here.push(plan.name, there.uri, plan.tag, there.login, progress)
    except GreenroomError:
        quicker = None if plan.wishes.no_cache else _quicker(plan, destination)
        if quicker is None:
            raise
        yield from _take(plan, destination, quicker)
        return
    yield f"pushed {there.uri}:{plan.tag}\n  {digest}"
    yield from _release(plan, destination, digest)


def _quicker(plan: Plan, destination: Destination) -> Pushed | None:
    """What has got the tag while ours was built; None where it is for another reason that ours could not be pushed."""
    try:
        return _there(plan, destination.environment, destination.repository)
    except AwsError:
        return None


def _take(plan: Plan, destination: Destination, there: Pushed) -> Iterator[str]:
    """Release what is there: pulled by its digest, so that it is known what it is, and can be rehearsed from here."""
    where = destination.repository
    with console.progress() as progress, images() as here:
        progress.step(f"pulling {where.uri}@{there.digest}")
        found = here.pull(where.uri, there.digest, where.login, progress)
    name = f"{where.uri}:{plan.tag}"
    if plan.wishes.tag and found.revision != (plan.revision or ""):  # a tag that was not given is the commit
        raise GreenroomError(
            f"{name} is there already, built from {found.revision or 'no known commit'}, and this is "
            f"{plan.revision or 'of no known commit'}.",
            "ECR lets no other take its place: give another --tag.",
        )
    other = f" --tag {plan.tag}-2"  # this one stays with what is there
    release_files.check_processor(plan.config, destination.texts, found.architecture, other)
    yield f"{name} is there already, pushed {there.when}: not built anew (another --tag would be)\n  {there.digest}"
    yield from _release(plan, destination, there.digest)


def _release(plan: Plan, destination: Destination, digest: str) -> Iterator[str]:
    directory = plan.config.root / plan.config.image.release_dir
    for path in release_files.write(directory, destination.texts, f"{destination.repository.uri}@{digest}"):
        yield f"wrote {path.relative_to(plan.config.root)}"
