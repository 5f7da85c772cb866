"""A PostgreSQL server in a container of its image: for the versions and extensions that no server of ours has.

Right for the official image and for those made from it: their entrypoint reads POSTGRES_* and they set PGDATA. The
settings lie in a file of ours that includes the image's own: what is given on the command line could not be changed for
the second phase.
"""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from greenroom import docker, places
from greenroom.console import Progress
from greenroom.docker_refusals import NoEngine
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import cluster, phases
from greenroom.postgres.address import Address
from greenroom.postgres.dialling import dialled
from greenroom.postgres.embedded import give_password
from greenroom.postgres.lease import Lease
from greenroom.postgres.postmaster import DidNotStart, free_port
from greenroom.postgres.remains import Remains
from greenroom.postgres.server import connect, parameters
from greenroom.secret import Secret

LABEL = "greenroom.lease"
PREFIX = "docker:"
PORT = 5432
SHM_BYTES = 4 << 30  # the most: Docker's 64 MB are too few for one parallel index build
START_SECONDS = 120.0
STOP_SECONDS = 300  # of its last checkpoint: killed in it, the data would be recovered from WAL that holds little
POLL_SECONDS = 0.05
PORT_ATTEMPTS = 3

_SETTINGS = "/greenroom.conf"
_PASSWORD = "/greenroom-password"  # noqa: S105
_KEPT = "greenroom-kept-"
_PASSING = "greenroom-"
_TELLS_WHY = re.compile(r'(?:FATAL:|PANIC:|^initdb:|^Error:|error:|LOG:.* parameter ").*')


@dataclass
class ContainerServer:
    """A server in a container. `address` is its superuser's, in the database postgres; `log` is none: it has no file.

    The address stays the same when it starts anew.
    """

    address: Address
    version_num: int
    label: str
    container: docker.Container = field(repr=False)
    settings: str = field(repr=False)
    log: Path | None = None
    kept: bool = False

    def durable(self, settings: Mapping[str, str] = {}) -> list[str]:
        """Start it anew, true: commits reach the disk, autovacuum runs, and the source's `settings` hold.

        Sessions on it end. Returns the names of the settings that do not hold here, as `embedded.Server.durable` does.
        Raises GreenroomError when it does not start.
        """
        with connect(self.address) as connection:
            taken = phases.taken_over(connection, settings)
            connection.execute("CHECKPOINT")
        try:
            self._become({**phases.DURABLE, **taken.settings})
        except DidNotStart:
            if not taken.daring:
                raise
            self._become({**phases.DURABLE, **taken.harmless})
            return [*taken.told, *taken.daring]
        return taken.told

    def _become(self, settings: Mapping[str, str]) -> None:
        self.container.put(_SETTINGS, self.settings + _phase(settings))
        self.container.restart(STOP_SECONDS)
        _wait_until_ready(self.container, self.address, self.label).close()

    def keep(self) -> str:
        """From now on it outlives the block, until its lease is over. The name by which it can be dropped."""
        self.container.rename(self.container.name.replace(_PASSING, _KEPT, 1))
        self.kept = True
        return self.container.name


@contextmanager
def server(image: str, lease: Lease, progress: Progress) -> Iterator[ContainerServer]:
    """A server in a container of `image` (`postgres:17`), for as long as the block lasts; it listens on loopback alone.

    Its data is restored without durability until `durable()`. The container bears the lease, by which `standing` finds
    it when this process is killed. Raises GreenroomError when there is no engine, no image, or no server in it.
    """
    with docker.engine() as engine:
        _refuse_remote(engine)
        found = engine.image(image, progress)
        _refuse_other_images(found)
        progress.step(f"starting a container of {image}")
        password = Secret(secrets.token_urlsafe(24))
        with shielded():
            container, port = _begun(engine, found, lease, password)
        made = None
        try:
            address = Address(docker.LOOPBACK, port, "postgres", cluster.SUPERUSER, password)
            made = _met(container, address, f"{PREFIX}{image}", _fixed(found))
            yield made
        finally:
            with shielded():
                if not (made and made.kept):
                    _release(container)


def refuse_no_engine() -> None:
    """Raises GreenroomError where no engine of this machine answers."""
    with docker.engine() as engine:
        _refuse_remote(engine)


def data_directory() -> Path | None:
    """Whose disk the data of a container here lies on; None where that is unknown. Raises GreenroomError."""
    with docker.engine() as engine:
        return engine.data


def standing() -> list[Remains]:
    """Every container of ours, running or not. Empty where no engine answers. Raises GreenroomError."""
    try:
        with docker.engine() as engine:
            borne = [(container, Lease.read(container.labels[LABEL])) for container in engine.labelled(LABEL)]
            return [_remains(container, lease) for container, lease in borne if lease]
    except NoEngine:
        return []


def _remains(container: docker.Container, lease: Lease) -> Remains:
    """A label cannot change: the name tells whether it was kept on purpose."""
    name = container.name
    terms = replace(lease, kept=name.startswith(_KEPT))
    return Remains(
        kind="container",
        name=name,
        where="docker",
        made=terms.made,
        state=terms.state if container.running else f"{terms.state}, stopped",
        to_be_reaped=terms.over,
        drop=lambda: _drop(name),
        lease=terms,
    )


def variables_file(name: str) -> Path:
    """Where the variables of whoever works on a kept server are written: with its password, so it goes with it."""
    return places.state() / "kept" / f"{name}.env"


def _drop(name: str) -> None:
    with docker.engine() as engine:
        for container in engine.labelled(LABEL):
            if container.name == name:
                container.remove()
    variables_file(name).unlink(missing_ok=True)


def _release(container: docker.Container) -> None:
    """Remove it; where that fails, say what was left behind and the command that removes it."""
    try:
        container.remove()
    except GreenroomError as error:
        print(
            f"the container {container.name} could not be removed and was left behind ({error.sentence}); "
            f"remove it with: ./inv db-drop {container.name}",
            file=sys.stderr,
            flush=True,
        )


def _refuse_remote(engine: docker.Engine) -> None:
    if not engine.local:
        raise GreenroomError(
            "Docker's engine is on another machine, and a server in it can only be reached from there.",
            "Unset DOCKER_HOST (docker context use default), or give --server embedded or postgresql://...",
        )


def _refuse_other_images(image: docker.Image) -> None:
    if "PGDATA" not in image.environment:
        raise GreenroomError(
            f"{image.name} is no image of PostgreSQL like the official one: it sets no PGDATA.",
            "Give one that is made from it: --server docker:postgres:17, docker:postgis/postgis:17-3.5, ...",
        )


def _begun(engine: docker.Engine, image: docker.Image, lease: Lease, password: Secret) -> tuple[docker.Container, int]:
    """A container that was started, and its port; another port where that was taken in between."""
    for attempt in range(PORT_ATTEMPTS):
        port = free_port()
        container = engine.create(_wanted(image, lease, port))
        try:
            container.put(_PASSWORD, password.reveal())
            container.put(_SETTINGS, _fixed(image) + _phase(phases.loading()))
            container.start()
            return container, port
        except BaseException as error:
            container.remove()
            if not isinstance(error, GreenroomError) or attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _wanted(image: docker.Image, lease: Lease, port: int) -> docker.Wanted:
    """The password goes by a file: the environment stands in `docker inspect`."""
    major = image.environment.get("PG_MAJOR", "")
    checksums = " --no-data-checksums" if major.isdigit() and int(major) >= 18 else ""
    return docker.Wanted(
        image=image.name,
        name=f"{_PASSING}{lease.id}",
        command=["postgres", "-c", f"config_file={_SETTINGS}"],
        environment={
            "POSTGRES_USER": cluster.SUPERUSER,
            "POSTGRES_DB": "postgres",
            "POSTGRES_PASSWORD_FILE": _PASSWORD,
            "POSTGRES_INITDB_ARGS": f"--no-sync --encoding=UTF8{checksums}",
        },
        labels={LABEL: replace(lease, kept=False).comment()},
        ports={PORT: port},
        shm_bytes=SHM_BYTES,
    )


def _fixed(image: docker.Image) -> str:
    """The image's own settings, and ours over them; both phases begin with these."""
    own = {**cluster.FIXED, "listen_addresses": "*", "logging_collector": "off", "log_destination": "stderr"}
    return f"include '{image.environment['PGDATA']}/postgresql.conf'\n" + _lines(own)


def _phase(settings: Mapping[str, str]) -> str:
    """What the log keeps to itself is set last: else the server would not say which of the settings is wrong."""
    return _lines({**settings, "log_min_messages": cluster.FIXED["log_min_messages"]})


def _lines(settings: Mapping[str, str]) -> str:
    return "".join("{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in settings.items())


def _met(container: docker.Container, first: Address, label: str, settings: str) -> ContainerServer:
    """Wait for the first answer, then give the superuser another password: the first one stays in a file inside."""
    with _wait_until_ready(container, first, label) as connection:
        password = give_password(connection, first.user)
        version = connection.info.server_version
    return ContainerServer(first.as_role(first.user, password), version, label, container, settings)


def _wait_until_ready(container: docker.Container, address: Address, label: str) -> psycopg.Connection:
    """The first connection by TCP: the server that the entrypoint makes the database with listens on no port.

    Docker's proxy takes connections before anybody listens behind it, and closes them.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return dialled(parameters(address))
        except psycopg.OperationalError as error:
            if not container.running or time.monotonic() > deadline:
                raise DidNotStart(
                    f"the server in a container of {label.removeprefix(PREFIX)} did not start: {_why(container)}",
                    "Is there room on the disk, and memory? Else give --server embedded or postgresql://...",
                ) from error
            time.sleep(POLL_SECONDS)


def _why(container: docker.Container) -> str:
    """The last line that tells it. Lines of other kinds could quote rows of the data."""
    told = [match[0].strip() for line in container.said() if (match := _TELLS_WHY.search(line))]
    wrong = [line for line in told if ' parameter "' in line]  # a FATAL line follows that only says where
    return (wrong or told or ["it does not say why."])[-1]
