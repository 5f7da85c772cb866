"""The intent journal: what is about to be created, written down before it is.

A client that is killed in CREATE DATABASE still gets its database, and that bears no lease. One small file an
intent, readable by its owner alone, without a password; it goes when the copy has been dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from greenroom import places
from greenroom.postgres.address import Address


@dataclass(frozen=True)
class Intent:
    """A database that somebody was about to create."""

    id: str
    host: str
    port: int
    user: str
    maintenance: str
    database: str
    made: str
    pid: int
    roles: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """Of the server, without a password: that comes from PGPASSWORD or ~/.pgpass."""
        return Address(self.host, self.port, self.maintenance, self.user)

    @property
    def abandoned(self) -> bool:
        """Whether its process is gone."""
        return not _alive(self.pid)


def directory() -> Path:
    """`$XDG_STATE_HOME/greenroom/journal` (default: ~/.local/state)."""
    return places.state() / "journal"


def write(server: Address, database: str, lease_id: str, roles: Iterable[str] = ()) -> Path:
    """Write one intent, onto the disk, before anything is created; `roles` are those that will be made with it."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    where = (server.host, server.port, server.user, server.database)
    intent = Intent(lease_id, *where, database, now, os.getpid(), tuple(roles))
    place = directory()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = place / f"{lease_id}.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(intent), file)
        file.flush()
        os.fsync(file.fileno())
    return path


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


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
