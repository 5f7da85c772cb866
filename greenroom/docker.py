"""The one room of Docker's SDK: containers, and an engine that does not answer as a sentence with a next step.

The SDK is imported when an engine is asked for: it takes longer than everything else that a task needs at its start.
The engine is the SDK's choice: DOCKER_HOST, else the current context of the docker command, else the local socket.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from greenroom.console import Progress
from greenroom.docker_refusals import (
    SHOWS_IMAGES,
    EngineSaysNo,
    explained,
    follow,
    place,
    reason,
    unanswered,
    unread,
)
from greenroom.errors import GreenroomError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container as Made

LOOPBACK = "127.0.0.1"
LOG_LINES = 200
_GOING = (404, 409)  # the engine's answers about a container that is gone, or being removed by itself
_SOCKETS = ("http+docker://localhost", "http+docker://localnpipe")  # the SDK's names of a Unix socket and a pipe


@dataclass(frozen=True)
class Image:
    """An image that the engine has; `environment` is what it sets for its containers, `user` whom they run as.

    `id` is of its content here; `digest` the registry's, None where it was neither pushed nor pulled. `directory` is
    where its programs start; `architecture` is whose processors it is for, `machine` whose the engine has.
    """

    name: str
    environment: Mapping[str, str]
    id: str = ""
    digest: str | None = None
    user: str = ""
    directory: str = "/"
    architecture: str = ""
    machine: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A container to be made. `ports` are published on loopback: inside it, outside it. `shm_bytes` is its /dev/shm."""

    image: str
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    ports: Mapping[int, int]
    shm_bytes: int


class Container:
    """A container of the engine. Every method raises GreenroomError for what the engine refuses."""

    def __init__(self, made: Made) -> None:
        self._made = made

    @property
    def name(self) -> str:
        """As `docker ps` shows it."""
        return str(self._made.name)

    @property
    def labels(self) -> Mapping[str, str]:
        """Those that it was made with: nobody can change them."""
        return dict(self._made.labels)

    @property
    def running(self) -> bool:
        """Whether its program runs at this moment; one that was removed in between runs no more."""
        from docker.errors import NotFound

        with explained(f"look at {self.name}"):
            try:
                self._made.reload()
            except NotFound:
                return False
        return bool(self._made.status == "running")

    def start(self) -> None:
        """Run its program."""
        with explained(f"start {self.name}"):
            self._made.start()

    def restart(self, seconds: int) -> None:
        """Stop its program, which has so many seconds to end by itself, and run it again on the same files."""
        with explained(f"restart {self.name}"):
            self._made.restart(timeout=seconds)

    def put(self, path: str, content: str) -> None:
        """Write a file inside it, that every program there may read; it need not run."""
        place, file = PurePosixPath(path), io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            entry = tarfile.TarInfo(place.name)
            entry.size, entry.mode = len(content.encode()), 0o444
            archive.addfile(entry, io.BytesIO(content.encode()))
        with explained(f"write {path} into {self.name}"):
            self._made.put_archive(str(place.parent), file.getvalue())

    def said(self) -> list[str]:
        """The last lines that its program wrote; none where nobody can tell."""
        try:
            with explained(f"read what {self.name} wrote"):
                written = self._made.logs(tail=LOG_LINES)
        except GreenroomError:
            return []
        return written.decode(errors="replace").splitlines()

    def rename(self, name: str) -> None:
        """Give it another name."""
        with explained(f"rename {self.name}"):
            self._made.rename(name)
            self._made.reload()

    def remove(self) -> None:
        """End it and remove it with the volumes that it brought; one that is gone already is no error."""
        from docker.errors import APIError

        with explained(f"remove {self.name}"):
            try:
                self._made.remove(v=True, force=True)
            except APIError as error:
                if error.status_code not in _GOING:
                    raise


class Engine:
    """An engine that answers."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client

    @property
    def local(self) -> bool:
        """Whether what it publishes on loopback can be reached from here."""
        base = self._client.api.base_url
        return base in _SOCKETS or urlsplit(base).hostname in ("localhost", LOOPBACK, "::1")

    @property
    def data(self) -> Path | None:
        """Where it keeps what its containers write; None where that is in a machine of its own."""
        with explained("tell where it keeps its data"):
            directory = Path(self._client.info().get("DockerRootDir") or "/nonexistent")
        return directory if self.local and directory.is_dir() else None

    def image(self, name: str, progress: Progress) -> Image:
        """The image of that name, pulled where it is not here. Raises GreenroomError when it cannot be had."""
        found = self.present(name)
        if found is None:
            self._pull(name, progress)
            found = self.present(name)
        if found is None:
            raise GreenroomError(f"the image {name} was pulled and is not here.", "See `docker image ls`; run again.")
        return found

    def present(self, name: str) -> Image | None:
        """The image of that name, id or digest; None where it is not here. Raises GreenroomError."""
        from docker.errors import ImageNotFound

        with explained(f"look for the image {name}", SHOWS_IMAGES):
            try:
                return _image(name, self._client.images.get(name).attrs, self._client.version()["Arch"])
            except ImageNotFound:
                return None

    def create(self, wanted: Wanted) -> Container:
        """A container that does not run yet. Raises GreenroomError."""
        from docker.types import LogConfig

        with explained(f"make a container of {wanted.image}"):
            made = self._client.containers.create(
                wanted.image,
                list(wanted.command),
                name=wanted.name,
                environment=dict(wanted.environment),
                labels=dict(wanted.labels),
                ports={f"{inside}/tcp": (LOOPBACK, outside) for inside, outside in wanted.ports.items()},
                shm_size=wanted.shm_bytes,
                log_config=LogConfig(type="json-file", config={"max-size": "10m"}),
            )
        return Container(made)

    def labelled(self, label: str) -> list[Container]:
        """All containers that bear the label, running or not. Raises GreenroomError."""
        with explained("list its containers"):
            found = self._client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
        return [Container(made) for made in found]

    def _pull(self, name: str, progress: Progress) -> None:
        from docker.errors import APIError
        from docker.utils import parse_repository_tag

        progress.step(f"pulling {name}")
        repository, tag = parse_repository_tag(name)
        try:
            lines = self._client.api.pull(repository, tag=tag or "latest", stream=True, decode=True)
            follow(lines, progress)
        except (APIError, EngineSaysNo) as error:
            raise GreenroomError(
                f"the image {name} is not here and cannot be pulled: {reason(error)}.",
                f"Check its name; or load it (docker load -i FILE), and see that `docker image ls` shows {name}.",
            ) from error


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine, for as long as the block lasts. Raises NoEngine when none answers, or not to this user.

    Where what the docker command is configured with cannot be read: GreenroomError.
    """
    with connected() as client:
        yield Engine(client)


@contextmanager
def connected() -> Iterator[DockerClient]:
    """The SDK's client, likewise: for this room and greenroom/docker_images.py."""
    import docker
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    where = place()
    try:
        client = docker.from_env()  # asks the engine for its version
    except (DockerException, RequestException, OSError) as error:
        raise unanswered(error, where) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise unread(error) from error
    try:
        yield client
    finally:
        client.close()


def _image(name: str, attributes: Mapping[str, Any], machine: str) -> Image:
    settings: Mapping[str, Any] = attributes.get("Config") or {}
    pairs = [word.partition("=") for word in settings.get("Env") or ()]
    digests = [reference.partition("@")[2] for reference in attributes.get("RepoDigests") or ()]
    named = name.partition("@")[2]
    return Image(
        name=name,
        environment={key: value for key, _, value in pairs},
        id=attributes["Id"],
        digest=named if named in digests else next(iter(digests), None),
        user=settings.get("User") or "",
        directory=settings.get("WorkingDir") or "/",
        architecture=attributes.get("Architecture") or "",
        machine=machine,
        labels=settings.get("Labels") or {},
    )
