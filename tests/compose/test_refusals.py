"""What to type where a port is taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.compose import refusals
from greenroom.compose.project import Port
from greenroom.errors import GreenroomError

COMPOSE = 'ports: ["127.0.0.1:${BASTION_PORT:-%s}:22"]'


@pytest.mark.parametrize(
    ("taken", "profiles", "typed"),
    [
        (2222, (), "BASTION_PORT=3222 ./inv up"),
        (65000, (), "BASTION_PORT=64000 ./inv up"),
        (2222, ("bastion", "aws"), "BASTION_PORT=3222 ./inv up --profile bastion --profile aws"),
    ],
)
def test_another_port_can_be_typed(
    taken: int, profiles: tuple[str, ...], typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals.ports, "why_not", lambda _host, _number: "address already in use")
    monkeypatch.delenv("BASTION_PORT", raising=False)
    port = Port(service="bastion", host="127.0.0.1", number=taken, inside=22)
    project: Any = SimpleNamespace(containers=[], ports=[port], profiles=profiles, text=COMPOSE % taken)
    with pytest.raises(GreenroomError) as refused:
        refusals.refuse_taken_ports(project)
    assert refused.value.hint.endswith(f"; or choose another: {typed}")
