"""How the rehearsed project is started: which interpreter, which variables, and what the agent is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from greenroom.copies.acquiring import Acquired
from greenroom.copies.project import environment_of, interpreter
from greenroom.postgres.address import Address
from greenroom.rehearsal.request import Halt, Request


@dataclass(frozen=True)
class Launch:
    """What `agent_process.started` needs, and the agent's first line."""

    python: str
    directory: Path
    environment: dict[str, str] = field(repr=False)  # holds the copy's password
    request: dict[str, object] = field(repr=False)


def launch(asked: Request, copy: Acquired) -> Launch:
    """Put together how the project meets `copy`.

    A project that takes its database from the environment is told by its own variables; one that does not gets it put
    into `DATABASES[alias]` by the agent.
    """
    project = asked.project
    directory = (asked.config.root / project.directory).resolve()
    told = environment_of(project, copy.address, tls=copy.facts.tls)
    request: dict[str, object] = {
        "protocol": 1,
        "project": str(directory),
        "settings": project.settings,
        "alias": project.database,
        "targets": asked.targets,
        "undo": list(asked.undo),
        "halt": _halt(asked.halt) if asked.halt else None,
        "performed": str(asked.performed) if asked.performed else None,
        "shadow": dict(asked.shadow),
        "lease": copy.lease_id,
        "database": None if told else _database(copy.address),
        "drop_sslmode": not copy.facts.tls,
        "role": copy.role,
        "allow_network": asked.allow_network,
        "allowed": [[copy.address.host, copy.address.port]],
        "wal": copy.own_server,
        "shared": not copy.own_server,
    }
    settings = {"DJANGO_SETTINGS_MODULE": project.settings} if project.settings else {}
    return Launch(interpreter(project, directory), directory, {**project.environment, **settings, **told}, request)


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
