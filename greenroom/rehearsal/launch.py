"""How the rehearsed project is started: which interpreter, which variables, and what the agent is asked.

On this machine, or in the image that will ship: there it is told what `[tool.greenroom.project.image]` says, and all of
it by the agent's standard input.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from greenroom.copies.acquiring import Acquired
from greenroom.copies.project import environment_of, interpreter
from greenroom.docker import Image
from greenroom.postgres import variables
from greenroom.postgres.address import Address
from greenroom.postgres.lease import Lease
from greenroom.rehearsal.agent_process import AgentProcess, started
from greenroom.rehearsal.inside import container
from greenroom.rehearsal.inside.address import seen_from_inside
from greenroom.rehearsal.inside.container import Container
from greenroom.rehearsal.request import Halt, Request


@dataclass(frozen=True)
class Launch:
    """What `running` needs, and the agent's first line; `secrets` are never printed."""

    python: str
    directory: Path
    environment: dict[str, str] = field(repr=False)  # holds the copy's password
    request: dict[str, object] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    container: Container | None = None


@contextmanager
def running(start: Launch) -> Iterator[AgentProcess]:
    """The agent, which waits for its first line; it is ended when the block is left. Raises GreenroomError."""
    if start.container is None:
        with started(start.python, start.directory, start.environment, start.secrets) as agent:
            yield agent
        return
    with (
        container.made(start.container) as words,
        started(start.python, start.directory, start.environment, start.secrets, words) as agent,
    ):
        yield agent


def launch(asked: Request, copy: Acquired) -> Launch:
    """Put together how the project meets `copy`. Raises GreenroomError where its image cannot reach it.

    A project that takes its database from the environment is told by its own variables; one that does not gets it put
    into `DATABASES[alias]` by the agent.
    """
    known = _passwords(copy.address, copy.admin)
    if asked.image is None:
        return _here(asked, _asking(asked, copy.address, copy), copy, known)
    inside = seen_from_inside(copy)
    start = in_image(asked, asked.image, inside, tls=copy.facts.tls, request=_asking(asked, inside, copy))
    assert start.container
    held = replace(start.container, copy=copy.address, shared=_shared(asked), network=asked.allow_network)
    return replace(start, secrets=(*known, *start.secrets), container=held)


def in_image(asked: Request, image: Image, copy: Address, *, tls: bool, request: dict[str, object]) -> Launch:
    """How the project is started in an image and told a database; the container leads nowhere yet."""
    project, own = asked.project, asked.project.image
    generated = {name: secrets.token_urlsafe(48) for name in own.generated}
    told = environment_of(project, copy, tls=tls)
    settings = own.settings or (None if "DJANGO_SETTINGS_MODULE" in image.environment else project.settings)
    request = {
        **request,
        "project": own.directory or ".",
        "settings": settings,
        "environment": {**project.environment, **own.environment, **generated, **told},
    }
    source = asked.source
    lease = Lease.new(branch=source.branch, source=image.name, hours=source.lease_hours)
    hidden = (*_passwords(copy), *generated.values())
    return Launch(own.python, asked.directory, {}, request, hidden, Container(image, own.python, lease))


def addressed(asked: Request, copy: Address, *, tls: bool) -> dict[str, object]:
    """The part of the agent's first line that says which project, and which database."""
    project = asked.project
    return {
        "protocol": 1,
        "project": str(asked.directory),
        "settings": project.settings,
        "alias": project.database,
        "database": None if environment_of(project, copy, tls=tls) else _database(copy),
        "drop_sslmode": not tls,
        "allow_network": asked.allow_network,
        "allowed": [[copy.host, copy.port]],
    }


def _here(asked: Request, request: dict[str, object], copy: Acquired, known: tuple[str, ...]) -> Launch:
    project, directory = asked.project, asked.directory
    settings = {"DJANGO_SETTINGS_MODULE": project.settings} if project.settings else {}
    told = environment_of(project, copy.address, tls=copy.facts.tls)
    own = variables.for_others(own_server=copy.own_server)
    environment = {**own, **project.environment, **settings, **told}
    return Launch(interpreter(project, directory), directory, environment, request, known)


def _asking(asked: Request, address: Address, copy: Acquired) -> dict[str, object]:
    return {
        **addressed(asked, address, tls=copy.facts.tls),
        "targets": asked.targets,
        "undo": list(asked.undo),
        "halt": _halt(asked.halt) if asked.halt else None,
        "performed": str(asked.performed) if asked.performed else None,
        "shadow": dict(asked.shadow),
        "lease": copy.lease_id,
        "role": copy.role,
        "wal": copy.own_server,
        "shared": not copy.own_server,
    }


def _shared(asked: Request) -> dict[Path, bool]:
    """Directories of ours that the agent reads and writes."""
    shared = {Path(directory): False for directory in asked.shadow.values()}
    return {**shared, asked.performed: True} if asked.performed else shared


def _passwords(*addresses: Address) -> tuple[str, ...]:
    """Also as a URL has them."""
    known = [address.password.reveal() for address in addresses if address.password]
    return (*known, *(quote(password, safe="") for password in known))


def _halt(halt: Halt) -> dict[str, object]:
    return {"migration": halt.migration, "after": halt.after, "pause": halt.then is not None}


def _database(address: Address) -> dict[str, object]:
    return {
        "host": address.host,
        "port": address.port,
        "name": address.database,
        "user": address.user,
        "password": address.password.reveal() if address.password else "",
        "options": dict(address.options),
    }
