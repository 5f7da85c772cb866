"""What Docker's engine says when it does not do as it is told, or does not answer: a sentence with a next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenroom import shell
from greenroom.console import Progress
from greenroom.errors import GreenroomError

SHOWS_CONTAINERS = "`docker ps -a` shows what it has."
SHOWS_IMAGES = "An image is named as `docker image ls` shows it: NAME:TAG, NAME@sha256:DIGEST or its id."


class NoEngine(GreenroomError):
    """No engine answers, or not to this user: then it can hold nothing of ours that runs."""


class EngineSaysNo(Exception):
    """The engine gives up what it streams, and says why there."""


def follow(lines: Iterator[dict[str, Any]], progress: Progress) -> dict[str, Any]:
    """Tell how many bytes of how many have come or gone, layer by layer as the engine learns of them.

    Returns what it says beside that, such as the digest. Raises EngineSaysNo.
    """
    layers: dict[str, tuple[int, int]] = {}
    said: dict[str, Any] = {}
    for line in lines:
        if "error" in line:
            raise EngineSaysNo(line["error"])
        said |= line.get("aux") or {}
        counted = line.get("progressDetail") or {}
        if line.get("status") in ("Downloading", "Pushing") and counted.get("total"):
            layers[line["id"]] = (counted["current"], counted["total"])
            done, total = (sum(sizes) / 1e6 for sizes in zip(*layers.values(), strict=True))
            progress.detail(f"{done:.0f} of {total:.0f} MB")
    return said


@contextmanager
def explained(doing: str, remedy: str = SHOWS_CONTAINERS) -> Iterator[None]:
    """What the engine refuses, as one sentence with a next step."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException) as error:
        raise GreenroomError(f"Docker's engine could not {doing}: {reason(error)}.", remedy) from error


def reason(error: Exception) -> str:
    """The engine's own words, without the address that was asked."""
    words = getattr(error, "explanation", None) or str(error)
    return shell.last_line(str(words)).rstrip(".")


def unanswered(error: Exception, where: str) -> NoEngine:
    """Why none does, as far as it can be told."""
    if any(isinstance(cause, PermissionError) for cause in _causes(error)):
        return NoEngine(
            f"this user may not speak to Docker's engine ({where}).",
            "Join the group `docker` and log in again; or restore with --server embedded.",
        )
    return NoEngine(
        f"no Docker engine answers at {where}: does it run?",
        "Start it (systemctl start docker), or set DOCKER_HOST; or restore with --server embedded.",
    )


def place() -> str:
    """Where the engine is asked for, in words.

    The SDK takes the local socket where there is no such context, and leaves a damaged one as a traceback. Raises
    GreenroomError for both: an engine may well run, and hold something of ours.
    """
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    if given := shell.variable("DOCKER_HOST"):
        return given
    name = shell.variable("DOCKER_CONTEXT") or get_current_context_name()
    try:
        found = ContextAPI.get_context(name)
    except Exception:  # of no class of its own
        found = None
    if found is None:
        raise GreenroomError(
            f"Docker's context {name} is not there, or cannot be read.",
            "`docker context ls` says why; `docker context use default`, or DOCKER_HOST, chooses another engine.",
        )
    return f"{found.Host} (context {name})" if found.Host and name != "default" else "its local socket"


def unread(error: Exception) -> GreenroomError:
    """What is left of its configuration when the context is well: the SDK takes the file as it is."""
    from docker.utils.config import find_config_file

    return GreenroomError(
        f"Docker's configuration {find_config_file()!s} cannot be used ({type(error).__name__}).",
        "Correct it: it is a JSON object; or name another directory in DOCKER_CONFIG.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it: urllib3 hands the first one on as an argument."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop()
        if id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            further = (cause.__cause__, cause.__context__, *cause.args)
            waiting += [found for found in further if isinstance(found, BaseException)]
