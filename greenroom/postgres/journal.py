"""The intent journal: what is about to be created, written down before it is.

A client that is killed in CREATE DATABASE still gets its database, and that bears no lease. One small file an
intent, readable by its owner alone, without a password; it goes when the copy has been dropped.

Host and port are those that the server's own network knows: `via` is the VPN host through which it is reached.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from greenroom import places
from greenroom.postgres import processes
from greenroom.postgres.address import Address
from greenroom.postgres.processes import Process

HOURS = 24.0  # of one that does not say until when


@dataclass(frozen=True)
class Intent:
    """A database that somebody was about to create; `oid` is known from when it bears its lease."""

    id: str
    host: str
    port: int
    user: str
    maintenance: str
    database: str
    made: str
    pid: int
    roles: tuple[str, ...] = ()
    via: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    oid: int = 0
    until: str = ""
    began: int = 0

    @property
    def address(self) -> Address:
        """Of the server, without a password: that comes from PGPASSWORD or ~/.pgpass."""
        return Address(self.host, self.port, self.maintenance, self.user, options=self.options)

    @property
    def abandoned(self) -> bool:
        """Whether its process is gone; where that cannot be seen from here, whether its time has passed."""
        process = Process(self.pid, self.made, self.machine, self.began)
        return not process.lives if process.seen else self._expires < datetime.now(UTC)

    @property
    def _expires(self) -> datetime:
        if self.until:
            return datetime.fromisoformat(self.until)
        return datetime.fromisoformat(self.made) + timedelta(hours=HOURS)


def directory() -> Path:
    """`$XDG_STATE_HOME/greenroom/journal` (default: ~/.local/state)."""
    return places.state() / "journal"


def write(
    server: Address,
    database: str,
    lease_id: str,
    roles: Iterable[str] = (),
    *,
    via: str | None = None,
    until: str = "",
) -> Path:
    """Write one intent, onto the disk, before anything is created; `roles` are those that will be made with it.

    `server` is as its own network knows it, where it is reached through the VPN host `via`; `until` is the lease's.
    """
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    where = (server.host, server.port, server.user, server.database)
    options = {name: value for name, value in server.options.items() if "password" not in name}
    me = os.getpid()
    intent = Intent(
        lease_id,
        *where,
        database=database,
        made=now,
        pid=me,
        roles=tuple(roles),
        via=via,
        options=options,
        machine=processes.machine(),
        until=until,
        began=processes.began(me),
    )
    place = directory()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = path_of(intent)
    _put(path, asdict(intent))
    return path


def granted(path: Path, oid: int) -> None:
    """The database has its lease: from now on nothing but that one is meant, and without a lease not even that."""
    with contextlib.suppress(OSError, ValueError):  # its lease stands
        _put(path, {**json.loads(path.read_text()), "oid": oid})


def _put(path: Path, content: Mapping[str, object]) -> None:
    """Onto the disk, whole or not at all."""
    making = path.with_suffix(".new")
    with open(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)


def path_of(intent: Intent) -> Path:
    """The file that holds it."""
    return directory() / f"{intent.id}.json"


def intents() -> list[tuple[Path, Intent]]:
    """All that stand in the journal; a file that is damaged is passed over."""
    found = []
    for path in sorted(directory().glob("*.json")):
        try:
            content = json.loads(path.read_text())
            found.append((path, Intent(**{**content, "roles": tuple(content.get("roles", ()))})))
        except (ValueError, TypeError, OSError):
            continue
    return found
