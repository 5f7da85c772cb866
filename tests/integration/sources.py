"""What many tests of copies begin with: a shop to copy, and a journal of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.integration.shop import Shop, shop


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made
