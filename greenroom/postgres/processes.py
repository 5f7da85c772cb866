"""Whether a process of this machine still lives: it holds what it has made."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path

SLACK_SECONDS = 60.0  # the clock may have been set in between


def lives(pid: int, since: str) -> bool:
    """Whether the process that had the number `pid` at `since` (ISO 8601) runs. A later one of that number is another.

    Where the system does not tell when a process began, the number decides.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    began = _began(pid)
    return began is None or began <= datetime.fromisoformat(since).timestamp() + SLACK_SECONDS


def _began(pid: int) -> float | None:
    """Seconds of the epoch, of Linux's /proc; None where there is none."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        booted = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except (OSError, ValueError, IndexError):
        return None
    return int(booted[1]) + ticks / os.sysconf("SC_CLK_TCK") if booted else None
