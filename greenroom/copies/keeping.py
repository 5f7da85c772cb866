"""Copies that outlive the task: `--keep`, `db-pull` and `db-branch`; and what a person needs to use one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from greenroom import places
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.copies.meter import duration, size
from greenroom.copies.project import environment_of
from greenroom.postgres import event_triggers
from greenroom.postgres.address import Address
from greenroom.postgres.lease import Lease
from greenroom.postgres.remains import dropping
from greenroom.postgres.server import connect

if TYPE_CHECKING:
    from greenroom.copies.servers import Place

KEPT = "kept: "


def keep(request: CopyRequest, where: Place, terms: Lease, copy: Acquired) -> None:
    """Let the copy's server outlive the task, where it is one of ours; a given one does so anyway.

    Writes a file with the variables that the app runs on it with: its password was made for this server, and stands
    nowhere else. Raises GreenroomError.
    """
    variables = _variables(request, copy)
    if where.own and copy.address.user == copy.admin.user:  # whoever works with it meets them as on the source
        with connect(copy.admin) as connection:
            event_triggers.on_for_us(connection)
    if where.embedded:
        from greenroom.postgres import kept

        copy.environment = kept.keep(where.embedded, copy.name, terms, variables).environment
    elif where.container:
        name = where.container.keep()
        copy.environment = _written(name, variables)
        copy.drop_as = name
    else:
        copy.drop_at = ("--url", str(where.maintenance))
    copy.notes.append(note(copy))


def forward(via: str | None, real: Address, port: int) -> str | None:
    """The ssh command that makes local `port` lead to `real` behind the VPN host again, once our tunnel has ended."""
    if via is None:
        return None
    from greenroom.ssh.route import as_typed

    host = f"[{real.host}]" if ":" in real.host else real.host
    ssh, _, place = as_typed(via, None).partition(" ")
    return f"{ssh} -N -L {port}:{host}:{real.port} {place}"


def note(copy: Acquired) -> str:
    """Where a kept copy is, in a line of the report; no password."""
    how = f"; {copy.environment} has the variables to run the app on it" if copy.environment else ""
    how += f"; {copy.forward} leads there" if copy.forward else ""
    return f"{KEPT}{copy.address}{how}; {_dropping(copy)} drops it"


def _dropping(copy: Acquired) -> str:
    return dropping(copy.drop_as or copy.name, *copy.drop_at)


def words(copy: Acquired, request: CopyRequest) -> str:
    """The copy's URL, how the app is told of it, and what drops it; no password."""
    lines = [
        ("copy", f"{copy.name}: {size(copy.size_bytes)}, PostgreSQL {copy.facts.version}, in {duration(copy.seconds)}"),
        ("url", str(copy.address)),
        *([("tunnel", f"{copy.forward}  (keep it running: the server is behind it)")] if copy.forward else []),
        *([("variables", f"set -a; . {shlex.quote(str(copy.environment))}; set +a")] if copy.environment else []),
        *([] if copy.environment else [("variables", " ".join(_told(request, copy)))]),
        *[("note", said) for said in copy.notes if not said.startswith(KEPT)],
        ("until", f"{request.lease_hours:g} h from now; before: {_dropping(copy)}"),
    ]
    return "\n".join(f"{name:<12} {line}" for name, line in lines)


def _variables(request: CopyRequest, copy: Acquired) -> dict[str, str]:
    """As the project is told its database; libpq's own where it is not told by variables."""
    return environment_of(request.project, copy.address, tls=copy.facts.tls) or copy.address.environment


def _told(request: CopyRequest, copy: Acquired) -> list[str]:
    """The same for people: without the password, and without what is empty."""
    password = copy.address.password
    return [
        f"{name}={shlex.quote(value)}"
        for name, value in _variables(request, copy).items()
        if value and not (password and password.reveal() in value)
    ]


def _written(name: str, variables: Mapping[str, str]) -> Path:
    """A file that only its owner reads."""
    directory = places.state() / "kept"
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{name}.env"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f"{variable}={shlex.quote(value)}\n" for variable, value in variables.items())
    return path
