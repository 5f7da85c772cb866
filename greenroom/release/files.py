"""The image that is released, and its task definition and appspec: chosen, validated, registered.

The templates and their placeholders are greenroom/image/release_files.py's; here they meet the Dockerfile, the
registry of variables, and ECS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenroom import aws
from greenroom.config import Config, Environment
from greenroom.environment import checking
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.image import release_files
from greenroom.image.release_files import APPSPEC, DETAIL, TASKDEF
from greenroom.release import place
from greenroom.release.rehearsals import DIGEST

_EXPOSE = re.compile(r"^\s*EXPOSE\s+(.+)$", re.MULTILINE | re.IGNORECASE)
_PORT = re.compile(r"(\d+)(?:/tcp)?")


@dataclass(frozen=True)
class Files:
    """The filled templates of one environment, without an image."""

    task_definition: str
    appspec: str

    def registration(self, image: str) -> dict[str, Any]:
        """The arguments of RegisterTaskDefinition."""
        found: dict[str, Any] = json.loads(self.task_definition.replace("<IMAGE1_NAME>", image))
        return found

    def appspec_for(self, task_definition: str) -> str:
        """The appspec with what it moves to."""
        return self.appspec.replace("<TASK_DEFINITION>", task_definition)

    @property
    def container(self) -> tuple[str, int]:
        """Name and port of the container that the load balancer leads to."""
        found = release_files.balanced(self.appspec)
        assert found is not None, "such an appspec is refused where it is filled in"
        return found[0], int(found[1])

    @property
    def execution_role(self) -> str | None:
        """ARN of the role that starts the task."""
        return self.registration("image").get("executionRoleArn")

    @property
    def has_hook(self) -> bool:
        """Whether something is asked in the middle of a deployment."""
        import yaml

        return bool(yaml.safe_load(self.appspec).get("Hooks"))

    @property
    def roles(self) -> list[str]:
        """ARNs of the task's role and of the one that starts it."""
        definition = self.registration("image")
        return [arn for name in ("taskRoleArn", "executionRoleArn") if (arn := definition.get(name))]


def files(config: Config, environment: Environment, registry: Registry) -> Files:
    """Fill both templates. Raises GreenroomError naming everything that is wrong with them."""
    texts = release_files.filled(config, environment)
    found = Files(texts[TASKDEF], texts[APPSPEC])
    wrong = [
        *aws.malformed("ecs", "register_task_definition", found.registration("image"), str(config.image.taskdef)),
        *_ports(config, found),
        *checking.task_definition(config, registry),
    ]
    if wrong:
        raise GreenroomError("\n".join(wrong), "Correct that there, then run again.")
    return found


def write(config: Config, environment: Environment, found: Files, digest: str) -> list[Path]:
    """Write all three into the release's directory."""
    texts = {TASKDEF: found.task_definition, APPSPEC: found.appspec}
    return release_files.write(config.root / config.image.release_dir, texts, uri(config, environment, digest))


def uri(config: Config, environment: Environment, digest: str) -> str:
    """The image by its digest, as ECS pulls it."""
    return place.place(config, environment).image(digest)


def digest(config: Config, given: str | None) -> str:
    """Of `--image`, or of the image that was pushed last from here. Raises GreenroomError."""
    if given is not None:
        found = given.rpartition("@")[2]
        if not DIGEST.fullmatch(found):
            raise GreenroomError(
                f"--image {given} is no digest: a release is of one image, and a tag can move.",
                "It is of the form sha256:..., as `./inv build --push` prints it.",
            )
        return found
    path = config.root / config.image.release_dir / DETAIL
    try:
        said = str(json.loads(path.read_text(encoding="utf-8"))["ImageURI"])
    except OSError as error:
        raise GreenroomError(
            "which image is to be released is not known: none was pushed from here.",
            "Push one (./inv build --push), or name it: --image sha256:...",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise GreenroomError(
            f"{path} is not what ./inv build --push writes.", "Name the image: --image sha256:..."
        ) from error
    return digest(config, said)


def register(guard: Guard, found: Files, image: str) -> str:
    """A new revision of the task definition; its ARN. Raises AwsError."""
    answer = guard.call("ecs", "register_task_definition", **found.registration(image))
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def short(task_definition: str | None) -> str:
    """`family:revision` of an ARN."""
    return (task_definition or "nothing").rpartition("/")[2]


def _ports(config: Config, found: Files) -> Iterator[str]:
    """The image listens where the load balancer asks."""
    _, port = found.container
    dockerfile = config.root / config.image.dockerfile
    if not dockerfile.is_file():
        return
    words = " ".join(_EXPOSE.findall(dockerfile.read_text(encoding="utf-8", errors="replace"))).split()
    exposed = [int(number[1]) for word in words if (number := _PORT.fullmatch(word))]
    if exposed and port not in exposed:
        numbers = " and ".join(map(str, exposed))
        yield f"{config.image.appspec} leads to port {port}, and {config.image.dockerfile} exposes {numbers}."
