"""Whether a process still lives, where that can be seen from here: it holds what it has made."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SLACK_SECONDS = 60.0  # the clock may have been set in between
_BOOT, _NUMBERS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Process:
    """One by its number at `since` (ISO 8601) on a `machine`; `began` is in the kernel's ticks, 0 where not known."""

    pid: int
    since: str
    machine: str = ""
    began: int = 0

    @property
    def seen(self) -> bool:
        """Whether it can be seen from here at all. Else nobody here knows whether it lives."""
        return bool(self.machine) and self.machine == machine()

    @property
    def lives(self) -> bool:
        """Whether it runs. A later one of that number is another. Where it is not `seen`, this tells nothing."""
        return lives(self.pid, self.since, self.began)


def machine() -> str:
    """This boot of this machine and the space of process numbers in it; empty where the system does not tell them.

    Machines and containers that were made from one image share their names and /etc/machine-id, but not this.
    """
    try:
        return f"{_BOOT.read_text().strip()}/{_NUMBERS.stat().st_ino}"
    except OSError:
        return ""


def began(pid: int) -> int:
    """When a process began, in the kernel's ticks since it booted; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def lives(pid: int, since: str, at: int = 0) -> bool:
    """Whether the process of this machine that had the number `pid` at `since` (ISO 8601) runs; it began `at` ticks.

    Where the system does not tell when a process began, the number decides.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = began(pid)
    if at and now:
        return at == now
    seconds = _epoch(now)
    return seconds is None or seconds <= datetime.fromisoformat(since).timestamp() + SLACK_SECONDS


def _epoch(ticks: int) -> float | None:
    """Seconds of the epoch; None where that is not known."""
    try:
        booted = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(booted[1]) + ticks / os.sysconf("SC_CLK_TCK") if booted and ticks else None
