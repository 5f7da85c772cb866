"""How many workers the web server runs: by the processors and the memory that its container may use."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path
from typing import NamedTuple

WORKER_BYTES = 128 * 1024**2  # of a busy one, measured at 60 to 90 MB of its own
MOST = 32
CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = "max"


class Limits(NamedTuple):
    """What a container may use; processors may be a fraction."""

    cpus: float
    memory_bytes: int


def workers(limits: Limits) -> int:
    """One for each processor and one more, which answers while they compute; fewer where memory is scarce."""
    by_cpu = ceil(limits.cpus) + 1
    by_memory = limits.memory_bytes // WORKER_BYTES - 1  # the parent's share
    return max(1, min(by_cpu, by_memory, MOST))


def limits(cgroup: Path = CGROUP) -> Limits:
    """Of the container, in the words of cgroup 2 or 1; where it sets none, the machine's."""
    machine = Limits(len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    quota, period = _cpu(cgroup)
    memory = _number(cgroup / "memory.max") or _number(cgroup / "memory" / "memory.limit_in_bytes")
    return Limits(
        min(machine.cpus, quota / period) if quota and period else machine.cpus,
        min(machine.memory_bytes, memory or machine.memory_bytes),
    )


def _cpu(cgroup: Path) -> tuple[int, int]:
    """Microseconds of processor in each period of so many; zero where there is no limit."""
    words = _words(cgroup / "cpu.max")
    if len(words) == 2:
        return (0 if words[0] == UNLIMITED else int(words[0])), int(words[1])
    quota = _number(cgroup / "cpu" / "cpu.cfs_quota_us")
    return quota, _number(cgroup / "cpu" / "cpu.cfs_period_us")


def _number(file: Path) -> int:
    """Zero where there is no limit: no such file, `max`, or -1."""
    words = _words(file)
    return max(0, int(words[0])) if words and words[0] != UNLIMITED else 0


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except OSError:
        return []
