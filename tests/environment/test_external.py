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
        *((given, f"is a port from 1 to 65535, not {given}") for given in ("0", "65536", "99999", "9" * 5000)),
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


@pytest.mark.parametrize("name", [external.PROTOCOL, external.HOST, external.PORT])
@pytest.mark.parametrize("given", [" 8080", "8080\n", "\t8080", " "])
def test_blank_at_an_edge_is_told(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.setattr(external, "load", lambda _config: registry)
    monkeypatch.setenv(name, given)
    with pytest.raises(GreenroomError) as caught:
        external.url(config.parse({}, tmp_path))
    assert caught.value.sentence == f"{name} begins or ends with a blank, or has a line break."
    assert caught.value.hint == f"Set it without that, or unset it: unset {name}"
