"""The image that serves in an environment, fetched: the release whose code a migration must not break."""

from __future__ import annotations

from greenroom.config import Config
from greenroom.console import Progress
from greenroom.docker_images import images
from greenroom.guard import Guard
from greenroom.image import repository
from greenroom.release.place import place, service


def image(config: Config, environment: str, progress: Progress) -> str | None:
    """Its name on this machine's engine, by digest. None: what serves there is of another repository, or nothing does.

    Raises GreenroomError, AwsError.
    """
    where = place(config, config.environment(environment))
    progress.step(f"asking ECS what serves in {environment}")
    there = repository.found(where.environment, where.repository)
    with Guard(where.environment) as guard:
        name = image_of(guard, there.uri, service(guard, where).running_now)
    if name is None:
        progress.step(f"{environment} serves no image of {where.repository}: the old release is taken from git")
        return None
    progress.step(f"pulling {name}, which serves in {environment}")
    with images() as here:
        here.pull(there.uri, name.rpartition("@")[2], there.login, progress)
    return name


def image_of(guard: Guard, repository: str, task_definition: str | None) -> str | None:
    """What a task definition runs of that repository, by its digest; None where it runs nothing of it."""
    if task_definition is None:
        return None
    described = guard.call("ecs", "describe_task_definition", taskDefinition=task_definition)["taskDefinition"]
    named = [str(one.get("image", "")) for one in described["containerDefinitions"]]
    return next((name for name in named if name.startswith(f"{repository}@")), None)
