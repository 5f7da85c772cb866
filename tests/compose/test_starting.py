"""Which container `up` says is unwell."""

from __future__ import annotations

import pytest

from greenroom.compose.project import Container
from greenroom.compose.starting import first_unwell


def container(name: str, state: str, code: int = 0, health: str = "") -> Container:
    return Container(name, name.rstrip("0123456789"), state, health, code)


@pytest.mark.parametrize(
    ("one", "unwell"),
    [
        (container("app1", "running", health="healthy"), False),
        (container("app1", "running", health="starting"), False),
        (container("app1", "running", health="unhealthy"), True),
        (container("app1", "exited"), True),
        (container("app1", "dead", 137), True),
        (container("migrate1", "exited"), False),
        (container("migrate1", "exited", 1), True),
    ],
)
def test_new_one_is_unwell(one: Container, unwell: bool) -> None:
    assert first_unwell([one], {"migrate"}, known={"app0"}) == (one if unwell else None)


def test_one_that_is_being_replaced_is_not() -> None:
    """It was unhealthy; compose stops it, and makes another one, which is asked."""
    stopped = container("app1", "exited")
    assert first_unwell([stopped], set(), known={"app1"}) is None
    unwell = container("app2", "running", health="unhealthy")
    assert first_unwell([stopped, unwell], set(), known={"app1"}) == unwell
    assert first_unwell([stopped], set(), known=set()) == stopped, "once nothing is started any more"
