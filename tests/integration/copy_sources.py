"""Shops that copies are made of, on each version of PostgreSQL and on the newest alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.postgres.embedded import Server
from tests.integration.shop import Shop, shop


@pytest.fixture
def source(server: Server) -> Iterator[Shop]:
    with shop(server) as made:
        yield made


@pytest.fixture
def source18(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made
