"""How the Django project is told a database: by which interpreter it runs, through which variables."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote, urlencode

from greenroom.config import DatabaseVariables, Project
from greenroom.postgres.address import Address


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
        "PGSSLROOTCERT": address.options.get("sslrootcert") if tls else None,  # libpq's own variable
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
