from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config
from greenroom.environment import external
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError


@pytest.mark.parametrize("given", ["abc", "-1", "80.0", "²"])
def test_port_that_is_no_number(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setattr(external, "load", lambda _config: registry)
    monkeypatch.setenv("DJANGO_EXTERNAL_PORT_NUM", given)
    with pytest.raises(GreenroomError, match=r"^DJANGO_EXTERNAL_PORT_NUM is no number\.") as caught:
        external.url(config.parse({}, tmp_path))
    assert caught.value.hint
