"""Images of Docker's engine: their layers, and how one is pushed or pulled.

The password goes to the engine, and into no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenroom.console import Progress
from greenroom.docker import connected
from greenroom.docker_refusals import SHOWS_IMAGES, EngineSaysNo, explained, follow, reason
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

if TYPE_CHECKING:
    from docker import DockerClient

REVISION = "org.opencontainers.image.revision"
# Instructions that only change the image's configuration, as a build writes them into its history.
_NO_LAYER = re.compile(
    r"^(?:/bin/sh -c #\(nop\)\s+)?"
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b"
)


@dataclass(frozen=True)
class Layer:
    """One layer: the instruction that made it, and the digest of its content (None: of a base that is not told)."""

    instruction: str
    size_bytes: int
    diff_id: str | None


@dataclass(frozen=True)
class Built:
    """An image that the engine has. `layers` from the lowest; `id` is of all of its content.

    `architecture` is whose processors it is for, `revision` the commit that its label names.
    """

    id: str
    layers: tuple[Layer, ...]
    architecture: str = ""
    revision: str = ""

    @property
    def size_bytes(self) -> int:
        """Unpacked."""
        return sum(layer.size_bytes for layer in self.layers)


@dataclass(frozen=True)
class Login:
    """How a registry knows us. `host` with its port where that is not 443."""

    host: str
    user: str
    password: Secret


class Images:
    """What the engine has of images. Every method raises GreenroomError for what the engine refuses."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client

    def built(self, name: str) -> Built:
        """The image of that name, which is here."""
        with explained(f"look at the image {name}", SHOWS_IMAGES):
            found = self._client.images.get(name)
            history = found.history()
        made = [(str(entry["CreatedBy"]), int(entry["Size"])) for entry in reversed(history)]
        made = [(words, size) for words, size in made if not _NO_LAYER.match(words)]
        known = list(found.attrs["RootFS"].get("Layers") or [])
        digests = [None] * (len(made) - len(known)) + known[-len(made) :]
        layers = (Layer(words, size, digest) for (words, size), digest in zip(made, digests, strict=True))
        labels = (found.attrs.get("Config") or {}).get("Labels") or {}
        return Built(
            str(found.id), tuple(layers), str(found.attrs.get("Architecture") or ""), str(labels.get(REVISION) or "")
        )

    def log_in(self, login: Login) -> None:
        """Try the password, before anything long begins."""
        with explained(f"log in to {login.host}", _reach(login)):
            self._client.api.login(login.user, login.password.reveal(), registry=login.host, reauth=True)

    def push(self, name: str, place: str, tag: str, login: Login, progress: Progress) -> str:
        """Push the image as `place:tag`, and return the digest that the registry knows it by.

        It keeps that name here, for as long as which the engine knows it by `place@digest` too: so it is rehearsed.
        """
        words = {"username": login.user, "password": login.password.reveal()}
        with explained(f"push {place}:{tag}", _reach(login)):
            before = self._id(f"{place}:{tag}")
            self._client.api.tag(name, place, tag)
            try:
                lines = self._client.api.push(place, tag, stream=True, decode=True, auth_config=words)
                said = follow(lines, progress)
            except BaseException as error:
                if before is None:
                    self._client.api.remove_image(f"{place}:{tag}")  # the name alone: the image keeps its own
                else:  # of an earlier push
                    self._client.api.tag(before, place, tag)
                if not isinstance(error, EngineSaysNo):
                    raise
                raise GreenroomError(
                    f"{place}:{tag} could not be pushed: {reason(error)}.",
                    "A tag that is there already may be immutable: commit, or give another --tag.",
                ) from error
        if "Digest" not in said:
            raise GreenroomError(f"{place}:{tag} was pushed, and the engine tells no digest of it.", "Push it again.")
        return str(said["Digest"])

    def pull(self, place: str, digest: str, login: Login, progress: Progress) -> Built:
        """Fetch `place@digest`, and keep it by that name."""
        words = {"username": login.user, "password": login.password.reveal()}
        with explained(f"pull {place}@{digest}", _reach(login)):
            try:
                follow(self._client.api.pull(place, tag=digest, stream=True, decode=True, auth_config=words), progress)
            except EngineSaysNo as error:
                raise GreenroomError(
                    f"{place}@{digest} could not be pulled: {reason(error)}.", _reach(login)
                ) from error
        return self.built(f"{place}@{digest}")

    def _id(self, name: str) -> str | None:
        """Of the image of that name; None where it is not here."""
        from docker.errors import ImageNotFound

        try:
            return str(self._client.images.get(name).id)
        except ImageNotFound:
            return None


@contextmanager
def images() -> Iterator[Images]:
    """The engine's images, for as long as the block lasts. Raises NoEngine."""
    with connected() as client:
        yield Images(client)


def _reach(login: Login) -> str:
    return f"See that the engine's machine reaches {login.host}, behind its proxy if it has one; then run again."
