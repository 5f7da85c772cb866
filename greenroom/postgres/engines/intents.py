"""Which commands were run to make a copy, written down before they are: what they make may outlive us.

One small file a copy, readable by its owner alone, without URL or password; it goes when `release` has succeeded. The
command inherits a lock on it: while the lock is held, something of it still runs, even if we were killed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from greenroom import places
from greenroom.postgres.lease import Lease


@dataclass(frozen=True)
class Intent:
    """A command that was about to run. `release` is its counterpart, in full; `directory` is where both run."""

    lease: Lease
    name: str
    release: tuple[str, ...]
    directory: str
    timeout_seconds: float


@dataclass(frozen=True)
class Noted:
    """An intent in its file."""

    path: Path
    intent: Intent

    @property
    def busy(self) -> bool:
        """Whether the command, or what it started, still runs."""
        try:
            with open(self.path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def forget(self) -> None:
        """It is done with."""
        self.path.unlink(missing_ok=True)


def directory() -> Path:
    """`$XDG_STATE_HOME/greenroom/commands` (default: ~/.local/state)."""
    return places.state() / "commands"


def write(intent: Intent) -> Noted:
    """Onto the disk, before the command is run."""
    place = directory()
    place.mkdir(mode=0o700, exist_ok=True)
    path = place / f"{intent.lease.id}.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(intent), file)
        file.flush()
        os.fsync(file.fileno())
    return Noted(path, intent)


@contextmanager
def locked(noted: Noted) -> Iterator[int]:
    """A descriptor that holds the lock as long as any process has it open: for the command to inherit."""
    descriptor = os.open(noted.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


def noted() -> list[Noted]:
    """All that are written down; a file that is damaged is passed over."""
    found = []
    for path in sorted(directory().glob("*.json")):
        try:
            found.append(Noted(path, _read(json.loads(path.read_text()))))
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            continue
    return found


def _read(content: dict[str, object]) -> Intent:
    lease = dict(content["lease"])  # type: ignore[call-overload]
    given = {**content, "lease": Lease(**{**lease, "roles": tuple(lease.get("roles", ()))})}
    return Intent(**{**given, "release": tuple(content["release"])})  # type: ignore[arg-type]
