"""`tf-*` that somebody interrupts in the middle of a call to AWS: as the terminal does it, to the whole group."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.moto_server import Cloud
from tests.integration.terraform_desk import BUCKET, Desk, bootstrapped, cloud, desk, moto

__all__ = ["cloud", "desk", "moto"]
pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]

APPLY = ("tf-apply", "--environment", "staging", "--yes")
STATE = f"/{BUCKET}/shop"
AFTERWARDS = """
resource "aws_ssm_parameter" "after" {
  depends_on = [aws_ecr_repository.this]
  name       = "/shop/after"
  type       = "String"
  value      = "x"
}
"""


@contextmanager
def held(cloud: Cloud, *which: str) -> Iterator[dict[str, threading.Event]]:
    """Calls that nobody answers within the block, by action, or method and path; each event: it has been asked."""
    asked, go_on, moto = {name: threading.Event() for name in which}, threading.Event(), cloud.application

    def slow(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        action = str(environment.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        name = action or f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}"
        if name not in asked:
            return moto(environment, start)
        asked[name].set()
        go_on.wait(60)
        start("500 given up", [("Content-Length", "0")])
        return []

    cloud.application = slow
    try:
        yield asked
    finally:
        go_on.set()
        cloud.application = moto


@pytest.fixture
def overheard(desk: Desk) -> tuple[str, Path]:
    """A PATH whose terraform is the real one, and what it says on its way to us."""
    real, shim, log = shutil.which("terraform"), desk.place / "bin" / "terraform", desk.place / "said"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/bash\nexec {real} "$@" > >(exec tee -a {log})\n')
    shim.chmod(0o755)
    return f"{shim.parent}:{os.environ['PATH']}", log


def ctrl_c(child: subprocess.Popen[str]) -> None:
    os.killpg(child.pid, signal.SIGINT)


def test_interrupt_reaches_terraform_once_and_leaves_no_lock(
    desk: Desk, cloud: Cloud, overheard: tuple[str, Path]
) -> None:
    """The person is told what is there, what is not, and what the provider has given up in the middle of."""
    path, log = overheard
    bootstrapped(desk)
    (desk.module / "afterwards.tf").write_text(AFTERWARDS)
    with held(cloud, "CreateRepository") as asked, desk.start(*APPLY, PATH=path) as child:
        assert asked["CreateRepository"].wait(120)
        ctrl_c(child)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert "Terraform finishes what it has begun and saves its state" in err
    assert (log.read_text().count("Interrupt received"), "Two interrupts" in log.read_text()) == (1, False)
    assert "Stopped. Applied: 1 of 3.\n  aws_ssm_parameter.size\n" in out
    (cut_off,) = [line for line in out.splitlines() if line.startswith("Cut off: ")]
    assert "aws_ecr_repository.this" in cut_off and cut_off.endswith("it may be in AWS, and is not in the state.")
    finished = desk.run(*APPLY)  # the state is not locked, and knows it all
    assert finished.returncode == 0, finished.stderr
    assert "  + aws_ecr_repository.this " in finished.stdout and "  + aws_ssm_parameter.after " in finished.stdout


def test_second_interrupt_kills_terraform(desk: Desk, cloud: Cloud, overheard: tuple[str, Path]) -> None:
    """While it waits for what does not come: here, for its state to be saved."""
    path, log = overheard
    bootstrapped(desk)
    with held(cloud, "CreateRepository", f"PUT {STATE}") as asked, desk.start(*APPLY, PATH=path) as child:
        assert asked["CreateRepository"].wait(120)
        ctrl_c(child)
        assert asked[f"PUT {STATE}"].wait(60)
        ctrl_c(child)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Terraform is killed" in err and "Traceback" not in err
    assert "Two interrupts received" in log.read_text()
    assert "Stopped. Applied: 1 of 2.\n  aws_ssm_parameter.size\n" in out
    assert "It was killed, perhaps before it had saved: the state may lack some of this, and be locked still.\n" in out


def test_interrupted_plan_is_no_bug_of_ours(desk: Desk, cloud: Cloud) -> None:
    bootstrapped(desk)
    assert desk.run(*APPLY).returncode == 0
    with held(cloud, "GetParameter") as asked, desk.start("tf-plan", "--environment", "staging") as child:
        assert asked["GetParameter"].wait(120)
        ctrl_c(child)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err.splitlines()[-1]) == (130, "Interrupted.")
    assert "Traceback" not in err and "change" not in out
