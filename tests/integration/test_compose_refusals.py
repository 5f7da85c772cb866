"""What the tasks of compose.yaml refuse before anything starts: no engine, a word it does not know, a taken port."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.compose_stage import checkout_in, engine
from tests.integration.running import inv

pytestmark = pytest.mark.xdist_group("containers")

__all__ = ["engine"]


@pytest.mark.parametrize("words", [["up"], ["down"], ["ps"], ["logs"], ["shell"]])
def test_engine_that_does_not_run_is_one_sentence(tmp_path: Path, words: Sequence[str]) -> None:
    other = checkout_in(tmp_path / "other")
    said = other.inv(*words, env={"DOCKER_HOST": "unix:///nonexistent"})
    assert (said.code, said.out) == (2, "")
    assert said.error == (
        "no Docker engine answers at unix:///nonexistent: does it run?\n"
        "  Start it: systemctl start docker. Without containers: ./inv serve\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--profile", "bastoin"], "compose.yaml has no profile bastoin.\n  There is: aws, bastion.\n"),
        (
            ["logs", "--service", "ap"],
            "compose.yaml has no service ap.\n"
            "  There is: app, app-from-ssm, aws, bastion, migrate, parameters, postgres.\n",
        ),
        (["shell", "--service", "ap"], "compose.yaml has no service ap.\n"),
        (["logs", "--tail", "-3"], "--tail is a number of lines, not -3.\n  Without it, all are shown.\n"),
    ],
)
def test_what_compose_does_not_know_is_refused(engine: None, tmp_path: Path, words: Sequence[str], said: str) -> None:
    found = checkout_in(tmp_path / "other").inv(*words)
    assert (found.code, found.out) == (2, "")
    assert found.error.startswith(said)


def test_port_that_somebody_else_has_is_refused(engine: None, tmp_path: Path) -> None:
    other = checkout_in(tmp_path / "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(other.ports["BASTION_PORT"])))
        taken.listen()
        said = other.inv("up", "--profile", "bastion")
    assert (said.code, said.out) == (2, "")
    assert said.error.startswith(f"port {other.ports['BASTION_PORT']}, where bastion is to be reached, cannot be used:")
    assert "BASTION_PORT=" in said.error


@pytest.mark.parametrize(
    ("text", "said"), [("services: [", "compose.yaml cannot be used: "), (None, "there is no compose.yaml in ")]
)
def test_compose_file_that_is_none(engine: None, tmp_path: Path, text: str | None, said: str) -> None:
    other = checkout_in(tmp_path / "other")
    (other.root / "compose.yaml").unlink()
    if text:
        (other.root / "compose.yaml").write_text(text)
    found = other.inv("up")
    assert (found.code, found.out) == (2, "")
    assert found.error.startswith(said)


def test_port_that_is_none_is_refused(engine: None, tmp_path: Path) -> None:
    found = checkout_in(tmp_path / "other").inv("up", env={"DJANGO_EXTERNAL_PORT_NUM": "abc"})
    assert (found.code, found.out) == (2, "")
    assert found.error.startswith("compose.yaml cannot be used: ") and "the variable that fills it in" in found.error


def test_registry_agrees_with_compose() -> None:
    said = inv("env-check")
    assert [line for line in said.out.splitlines() if line.startswith("compose.yaml")] == []
    assert said.code == 0, said.out
