"""Official images of PostgreSQL on the real engine, for servers in containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import docker as sdk
import pytest

from greenroom import docker
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.lease import Lease


def needed(name: str) -> None:
    """Skip where no engine has the image or can pull it; in CI that is a failure."""
    try:
        with docker.engine() as engine:
            engine.image(name, Silent())
    except GreenroomError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a Docker engine that has {name}: {error.sentence}")


@pytest.fixture(scope="module", params=["postgres:17", pytest.param("postgres:18", marks=pytest.mark.full)])
def image(request: pytest.FixtureRequest) -> str:
    """An image that the engine has, or can pull."""
    name: str = request.param
    needed(name)
    return name


@pytest.fixture(scope="module")
def client() -> Iterator[sdk.DockerClient]:
    with closing(sdk.from_env()) as asked:
        yield asked


def terms(hours: float = 1) -> Lease:
    return Lease.new(branch="fix", source="shop", hours=hours)
