"""What every drill's tests start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.drills.stage import ROWS
from tests.integration.projects import shop


@pytest.fixture(scope="session")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The shop, once a session and server: a test takes back what it changes there."""
    with shop(server, tmp_path_factory.mktemp("initial"), rows=ROWS, name="drilled") as address:
        yield address
