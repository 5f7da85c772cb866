"""What a killed process of ours may have left on a VPN host: one small file for each private directory there.

Written before the directory is made, gone after it is; readable by its owner alone, without a secret. A lock on it
says that its process lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from greenroom import places

PREFIX = "greenroom-"


@dataclass
class Trace:
    """A private directory on the host at the end of `via`. `directory` is its name, below /var/tmp there."""

    via: str
    config: str | None
    directory: str
    made: str
    pid: int
    file: Path = field(repr=False, compare=False)
    gone: bool = field(default=False, compare=False)

    def remove(self) -> None:
        """Connect, remove the directory, and forget it; what holds it there ends by itself. Raises GreenroomError."""
        from greenroom.ssh import scripts  # paramiko only when there is something to remove
        from greenroom.ssh.connection import connected

        with connected(self.via, config=Path(self.config) if self.config else None) as host:
            host.script(scripts.REMOVAL, [self.directory])
        self.forget()

    def forget(self) -> None:
        """The directory is gone."""
        self.gone = True
        self.file.unlink(missing_ok=True)


def directory() -> Path:
    """`$XDG_STATE_HOME/greenroom/ssh` (default: ~/.local/state)."""
    return places.state() / "ssh"


@contextmanager
def noted(via: str, config: Path | None) -> Iterator[Trace]:
    """Write down that a directory is about to be made. It stays noted unless it is `forgotten` in the block."""
    name = PREFIX + secrets.token_hex(12)
    place = directory()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    trace = Trace(via, str(config) if config else None, name, now, os.getpid(), place / f"{name}.json")
    with open(os.open(trace.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({name: value for name, value in asdict(trace).items() if name not in ("file", "gone")}, file)
        file.flush()
        os.fsync(file.fileno())
        yield trace


def standing() -> list[Trace]:
    """Those whose process is dead. A damaged file is passed over."""
    found = []
    for path in sorted(directory().glob(f"{PREFIX}*.json")):
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(Trace(**json.load(file), file=path))
        except (OSError, ValueError, TypeError):
            continue
    return found
