"""What a server of ours is set to while data is loaded, and how far it follows the source afterwards."""

from __future__ import annotations

import pytest

from greenroom.postgres import phases

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "given"), [(64 * GIB, "1048576kB"), (4 * GIB, "524288kB"), (GIB // 4, "65536kB"), (0, "65536kB")]
)
@pytest.mark.parametrize(("processors", "workers"), [(1, "0"), (2, "0"), (8, "6")])
def test_loading_takes_an_eighth_of_the_memory_and_leaves_two_processors_to_its_sessions(
    memory: int, given: str, processors: int, workers: str
) -> None:
    found = phases.loading(memory, processors)
    assert found == {**phases.LOADING, "maintenance_work_mem": given, "max_parallel_workers": workers}


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        ("work_mem", "64MB", "64MB"),
        ("work_mem", "2GB", "2GB"),
        ("work_mem", "2049MB", "2048MB"),
        ("maintenance_work_mem", "1TB", "2048MB"),
        ("work_mem", "2097152", "2097152"),  # of kB
        ("work_mem", "2097153", "2048MB"),
        ("shared_buffers", "262144", "262144"),  # of 8 kB
        ("shared_buffers", "262145", "2048MB"),
        ("Work_Mem", " 3 GB ", "2048MB"),
        ("autovacuum_work_mem", "-1", "-1"),
        ("work_mem", "much", "much"),
        ("effective_cache_size", "1TB", "1TB"),  # the planner's guess: nothing is allocated
        ("TimeZone", "UTC", "UTC"),
    ],
)
def test_capped_leaves_a_size_of_memory_at_a_quarter_of_the_machine(name: str, asked: str, given: str) -> None:
    assert phases.capped(name, asked, 8 * GIB) == given


def test_machine_bytes_are_those_of_a_machine() -> None:
    assert phases.machine_bytes() > 1 << 26
