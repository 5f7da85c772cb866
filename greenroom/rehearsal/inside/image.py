"""Which image it is: found by name or digest, never pulled, and from then on known by its own id."""

from __future__ import annotations

import shutil

from greenroom import docker, git
from greenroom.docker import Image
from greenroom.errors import GreenroomError
from greenroom.rehearsal.request import Request

REVISION = "org.opencontainers.image.revision"
DIRTY = "-dirty"  # at the end of a revision: built from a tree with changes that no commit has
ROOT = ("", "0", "root")


def chosen(name: str, remedy: str = "") -> Image:
    """The image of that name, id or digest, as the engine has it now. Raises GreenroomError where it has none."""
    try:
        with docker.engine() as engine:
            found, local = engine.present(name), engine.local
    except docker.NoEngine as error:
        raise GreenroomError(
            error.sentence, "Start it, and let this user speak to it; or leave the image out."
        ) from error
    if not local:
        raise GreenroomError(
            "Docker's engine is on another machine, and a container there cannot reach the copy.",
            "Unset DOCKER_HOST (docker context use default), or leave the image out.",
        )
    if found is None:
        raise GreenroomError(f"there is no image {name} here.", remedy or f"Fetch it: docker pull {name}")
    if shutil.which("docker") is None:
        raise GreenroomError("the command docker is not on this machine.", "Install it: Debian has it in docker-cli.")
    return found


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
