"""VPN hosts to connect to, one or two in a row, without an agent; and what a refusal says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh.connection import connected
from tests.integration.bastion import Bastion, bastion


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        yield made


@pytest.fixture
def two_hops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path, hops=2) as made:
        monkeypatch.setenv("HOME", str(made.home))
        yield made


def refused(made: Bastion, via: str | None = None, config: Path | None = None) -> str:
    with pytest.raises(GreenroomError) as caught, connected(via or made.via, config=config):
        pytest.fail("it was let in")
    return str(caught.value)
