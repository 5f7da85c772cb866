"""Which container `up` says is unwell, and what to type then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.compose.project import Container
from greenroom.compose.starting import _unwell, first_unwell


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


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("ValueError", "correct it and run ./inv up again, or ./inv down."),
        (
            'FATAL:  password authentication failed for user "ledger"',
            "the data was made with another DJANGO_DB_PASS: set that one, or remove the data: ./inv down --volumes",
        ),
    ],
)
def test_next_step_of_an_unwell_one(line: str, step: str) -> None:
    project: Any = SimpleNamespace(whole=SimpleNamespace(said=lambda _service, tail: f"first\n{line}\n"))
    assert (
        _unwell(project, container("migrate1", "exited", 1)).hint
        == f"All of them: ./inv logs --service migrate; {step}"
    )
