"""The shop's database, once a session and server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from tests.hazards.harness import shop


@pytest.fixture(scope="session", params=[18, pytest.param(15, marks=pytest.mark.full)])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """PostgreSQL 18; with the full tests 15 as well."""
    with (
        embedded(binaries=of_major(request.param)) as server,
        shop(server, tmp_path_factory.mktemp("shop") / "project") as address,
    ):
        yield address


@pytest.fixture(scope="session", params=[18, pytest.param(15, marks=pytest.mark.full)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """For databases of a test's own."""
    with embedded(binaries=of_major(request.param)) as server:
        yield server
