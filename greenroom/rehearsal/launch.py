"""How the rehearsed project is started: which interpreter, which variables, and what the agent is asked."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

from greenroom.config import DatabaseVariables, Project
from greenroom.postgres.address import Address
from greenroom.rehearsal.copies import Acquired


@dataclass(frozen=True)
class Launch:
    """What `agent_process.started` needs, and the agent's first line."""

    python: str
    directory: Path
    environment: dict[str, str] = field(repr=False)  # holds the copy's password
    request: dict[str, object] = field(repr=False)


def launch(project: Project, root: Path, copy: Acquired, targets: list[str], *, allow_network: bool) -> Launch:
    """Put together how `project` meets `copy`.

    A project that takes its database from the environment is told by its own variables; one that does not gets it put
    into `DATABASES[alias]` by the agent.
    """
    directory = (root / project.directory).resolve()
    told = environment_of(project, copy.address, tls=copy.facts.tls)
    request: dict[str, object] = {
        "protocol": 1,
        "project": str(directory),
        "settings": project.settings,
        "alias": project.database,
        "targets": targets,
        "lease": copy.lease_id,
        "database": None if told else _database(copy.address),
        "drop_sslmode": not copy.facts.tls,
        "role": copy.role,
        "allow_network": allow_network,
        "allowed": [[copy.address.host, copy.address.port]],
        "wal": copy.own_server,
    }
    settings = {"DJANGO_SETTINGS_MODULE": project.settings} if project.settings else {}
    return Launch(interpreter(project, directory), directory, {**project.environment, **settings, **told}, request)


def interpreter(project: Project, directory: Path) -> str:
    """The configured one, else that of a `.venv` in the project or beside it, else the one that runs greenroom."""
    beside = (place / ".venv" / "bin" / "python" for place in (directory, directory.parent))
    own = next((python for python in beside if python.exists()), None)
    return project.python or (str(own) if own else sys.executable)


def environment_of(project: Project, address: Address, *, tls: bool) -> dict[str, str]:
    """The variables that tell the project its database; empty when it is not told by variables."""
    if project.database_url_variable:
        return {project.database_url_variable: _url(address, tls=tls)}
    return _variables(project.database_variables, address, tls=tls) if project.database_variables else {}


def _variables(names: DatabaseVariables, address: Address, *, tls: bool) -> dict[str, str]:
    values = {
        names.host: address.host,
        names.port: str(address.port),
        names.name: address.database,
        names.user: address.user,
        names.password: address.password.reveal() if address.password else "",
        names.sslmode: address.options.get("sslmode") if tls else "prefer",
    }
    return {name: value for name, value in values.items() if name and value is not None}


def _url(address: Address, *, tls: bool) -> str:
    password = f":{quote(address.password.reveal(), safe='')}" if address.password else ""
    host = quote(address.host, safe="") if address.host.startswith("/") else address.host
    host = f"[{host}]" if ":" in host else host
    secured = {name: value for name, value in address.options.items() if tls and name.startswith("ssl")}
    query = f"?{urlencode(secured)}" if secured else ""
    place = f"{host}:{address.port}/{quote(address.database)}"
    return f"postgresql://{quote(address.user, safe='')}{password}@{place}{query}"


def _database(address: Address) -> dict[str, object]:
    return {
        "host": address.host,
        "port": address.port,
        "name": address.database,
        "user": address.user,
        "password": address.password.reveal() if address.password else "",
        "options": dict(address.options),
    }
