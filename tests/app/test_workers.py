from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.workers import Limits, limits, workers

MB = 1024**2
MACHINE = Limits(len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


@pytest.mark.parametrize(
    ("cpus", "memory_mb", "expected"),
    [
        (0.25, 512, 2),
        (0.5, 1024, 2),
        (1, 2048, 2),
        (2, 4096, 3),
        (4, 512, 3),  # memory is what it lacks
        (4, 8192, 5),
        (1, 64, 1),
        (0.25, 0, 1),
        (16, 128, 1),
        (96, 200_000, 32),
    ],
)
def test_workers(cpus: float, memory_mb: int, expected: int) -> None:
    assert workers(Limits(cpus, memory_mb * MB)) == expected


@pytest.fixture
def cgroup(tmp_path: Path) -> Path:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "memory").mkdir()
    return tmp_path


def test_limits_without_cgroup_are_the_machines(tmp_path: Path) -> None:
    assert limits(tmp_path / "nothing") == MACHINE


@pytest.mark.parametrize("cpu", ["50000 100000\n", "25000 50000\n"])
def test_limits_of_cgroup_2(cgroup: Path, cpu: str) -> None:
    (cgroup / "cpu.max").write_text(cpu)
    (cgroup / "memory.max").write_text(f"{100 * MB}\n")
    assert limits(cgroup) == (0.5, 100 * MB)


def test_no_limits_in_cgroup_2(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("max 100000\n")
    (cgroup / "memory.max").write_text("max\n")
    assert limits(cgroup) == MACHINE


def test_limits_of_cgroup_1(cgroup: Path) -> None:
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text("75000\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (cgroup / "memory" / "memory.limit_in_bytes").write_text(f"{200 * MB}\n")
    assert limits(cgroup) == (0.75, 200 * MB)


def test_no_limits_in_cgroup_1(cgroup: Path) -> None:
    (cgroup / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (cgroup / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (cgroup / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert limits(cgroup) == MACHINE


def test_limits_above_the_machine_are_the_machines(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("99900000 100000\n")
    (cgroup / "memory.max").write_text(f"{2**60}\n")
    assert limits(cgroup) == MACHINE
