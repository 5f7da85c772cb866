"""Which image it is: found by name or digest, never pulled, and from then on known by its own id."""

from __future__ import annotations

import re
import shutil

from greenroom import docker, git
from greenroom.docker import Image
from greenroom.docker_refusals import NoEngine
from greenroom.errors import GreenroomError
from greenroom.rehearsal.request import Request

REVISION = "org.opencontainers.image.revision"
DIRTY = "-dirty"  # at the end of a revision: built from a tree with changes that no commit has
ROOT = ("", "0", "root")
# Docker's grammar: a tag, and a name that has no tag, no registry and no path, or is the beginning of an id
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*")


def chosen(name: str, *, ours: str = "") -> Image:
    """The image of that name, id or digest, as the engine has it. Raises GreenroomError.

    With `ours`, the name of what is built here, `name` may be a tag of it.
    """
    names = meant(name, ours)
    try:
        with docker.engine() as engine:
            found, local = next(filter(None, map(engine.present, names)), None), engine.local
    except NoEngine as error:
        raise GreenroomError(
            error.sentence, "Start it, and let this user speak to it; or leave the image out."
        ) from error
    if not local:
        raise GreenroomError(
            "Docker's engine is on another machine, and a container there cannot reach the copy.",
            "Unset DOCKER_HOST (docker context use default), or leave the image out.",
        )
    if found is None:
        raise GreenroomError(
            f"there is no image {names[0]} here.",
            f"{'Build it: ./inv build; or fetch' if ours else 'Fetch'} it: docker pull {names[0]}",
        )
    if shutil.which("docker") is None:
        raise GreenroomError("the command docker is not on this machine.", "Install it: Debian has it in docker-cli.")
    return found


def meant(name: str, ours: str) -> list[str]:
    """What the engine is asked for, in turn: where it can be a tag of ours, that; then the name as it is, if it is one.

    What can be neither is left as it is: the engine says so.
    """
    tag = [f"{ours}:{name}"] if ours and _TAG.fullmatch(name) else []
    return tag if tag and not _NAME.fullmatch(name) else [*tag, name]


def revision(image: Image) -> str | None:
    """The commit that it says it was built from; with DIRTY where the tree had changes."""
    return image.labels.get(REVISION) or None


def runs_as_root(image: Image) -> bool:
    """Whether it names no other user for its programs."""
    return image.user.partition(":")[0] in ROOT


def strange_architecture(image: Image) -> str:
    """A sentence where this machine's processors are others than the image is made for; else empty."""
    if not image.architecture or image.architecture == image.machine:
        return ""
    return f"{image.name} is an image for {image.architecture}, and this machine is {image.machine}"


def notes(request: Request) -> list[str]:
    """What a rehearsal in an image rests on: who it runs as, for which processors, built from what."""
    image = request.image
    if image is None:
        return []
    network = "Docker's own network" if request.allow_network else "no network but the copy"
    found = [f"the project ran in {image.name}: its files read-only, {network}"]
    if runs_as_root(image):
        found.append(f"{image.name} names no user: the project ran as root, without any of root's capabilities")
    if strange := strange_architecture(image):
        found.append(f"{strange}: an emulator ran it")
    return [*found, *_of_another_commit(request, image)]


def _of_another_commit(request: Request, image: Image) -> list[str]:
    built, here = revision(image), git.checkout(request.directory).commit
    if not built or not here or built == here:
        return []
    dirty = DIRTY if built.endswith(DIRTY) else ""
    return [f"{image.name} was built from {built[:10]}{dirty}, and {here[:10]} is checked out"]
