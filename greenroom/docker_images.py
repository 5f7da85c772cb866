"""Images of Docker's engine: their layers, and how one is pushed. The password goes to the engine, and into no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenroom.console import Progress
from greenroom.docker import EngineSaysNo, connected, explained, follow, reason
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

if TYPE_CHECKING:
    from docker import DockerClient

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
    """An image that the engine has. `layers` from the lowest; `id` is of all of its content."""

    id: str
    layers: tuple[Layer, ...]

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
        with explained(f"look at the image {name}"):
            found = self._client.images.get(name)
            history = found.history()
        made = [(str(entry["CreatedBy"]), int(entry["Size"])) for entry in reversed(history)]
        made = [(words, size) for words, size in made if not _NO_LAYER.match(words)]
        known = list(found.attrs["RootFS"].get("Layers") or [])
        digests = [None] * (len(made) - len(known)) + known[-len(made) :]
        layers = (Layer(words, size, digest) for (words, size), digest in zip(made, digests, strict=True))
        return Built(str(found.id), tuple(layers))

    def log_in(self, login: Login) -> None:
        """Try the password, before anything long begins."""
        with explained(f"log in to {login.host}"):
            self._client.api.login(login.user, login.password.reveal(), registry=login.host, reauth=True)

    def push(self, name: str, place: str, tag: str, login: Login, progress: Progress) -> str:
        """Push the image as `place:tag`, and return the digest that the registry knows it by."""
        words = {"username": login.user, "password": login.password.reveal()}
        with explained(f"push {place}:{tag}"):
            self._client.api.tag(name, place, tag)
            try:
                lines = self._client.api.push(place, tag, stream=True, decode=True, auth_config=words)
                said = follow(lines, progress)
            except EngineSaysNo as error:
                raise GreenroomError(
                    f"{place}:{tag} could not be pushed: {reason(error)}.",
                    "A tag that is there already may be immutable: commit, or give another --tag.",
                ) from error
            finally:
                self._client.api.remove_image(f"{place}:{tag}")  # the name alone: the image keeps its own
        return str(said["Digest"])


@contextmanager
def images() -> Iterator[Images]:
    """The engine's images, for as long as the block lasts. Raises NoEngine."""
    with connected() as client:
        yield Images(client)
