from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config
from greenroom.environment import external
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError


@pytest.mark.parametrize(
    ("given", "what"),
    [
        *((given, "is no number") for given in ("abc", "-1", "80.0", "²")),
        *((given, f"is a port from 1 to 65535, not {given}") for given in ("0", "65536", "99999")),
    ],
)
def test_port_that_is_none(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, what: str
) -> None:
    monkeypatch.setattr(external, "load", lambda _config: registry)
    monkeypatch.setenv("DJANGO_EXTERNAL_PORT_NUM", given)
    with pytest.raises(GreenroomError) as caught:
        external.url(config.parse({}, tmp_path))
    assert caught.value.sentence == f"DJANGO_EXTERNAL_PORT_NUM {what}."
    assert caught.value.hint
