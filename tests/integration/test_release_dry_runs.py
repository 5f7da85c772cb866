"""Each task of a release that changes something: it changes nothing in a dry run, or with nobody to ask."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from greenroom.tasks import namespace
from tests.integration.release_circumstances import IMAGE, programs, report, under_way
from tests.integration.release_environment import NAME
from tests.integration.release_stage import BUCKET, DIGEST, PLAN, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "programs", "stage"]

# Words of each task of releases that changes something in AWS, and what it says that it would do.
CHANGING = {
    "deploy": (IMAGE, f"2 register a task definition with ledger@{DIGEST[:19]}"),
    "release-migrate": (IMAGE, "3 migrate the database once, in a one-off task, by a rehearsed plan only (pass, "),
    "rollback": ((), "break off deployment d-000000001: the traffic goes back to where it was"),
    "rehearsal-push": ((), f"to {BUCKET}/rehearsals/{DIGEST}/{PLAN}/rehearsal.json"),
    "ecs-shell": ((), f"register {NAME}:1 anew with a root file system that can be written to"),
}
ELSEWHERE = {
    "build": "tests/integration/test_image_push.py",
    "env-push": "tests/integration/test_environment.py",
    "tf-apply": "tests/integration/test_terraform_tasks.py",
    "tf-bootstrap": "tests/integration/test_terraform_tasks.py",
    "tf-destroy": "tests/integration/test_terraform_tasks.py",
}


def ready(stage: Stage, task: str) -> None:
    """So that without --dry-run it would be done."""
    stage.rehearse()
    report(stage)
    if task == "rollback":
        under_way(stage)
    stage.clear()


@pytest.mark.parametrize("task", CHANGING)
def test_no_write_leaves_in_a_dry_run(stage: Stage, task: str, programs: Path) -> None:
    words, shown = CHANGING[task]
    ready(stage, task)
    said = stage.staging(task, *words, "--dry-run")
    assert (said.code, said.error) == (0, "")
    assert shown in said.out
    assert stage.writes == []
    assert not programs.exists(), "nor by the AWS CLI"
    assert len(stage.cloud.calls) > 0 and stage.objects("releases/") == []


@pytest.mark.parametrize("task", CHANGING)
def test_nobody_to_ask_is_no_yes(stage: Stage, task: str, programs: Path) -> None:
    words, _ = CHANGING[task]
    ready(stage, task)
    said = stage.staging(task, *words)
    assert (said.code, said.error) == (
        2,
        "nobody is there to ask.\n  Add --yes to do it, or --dry-run to only see it.\n",
    )
    assert stage.writes == [] and not programs.exists()


def test_every_task_that_can_be_run_dry_on_an_environment_is_tried() -> None:
    dry = {
        name
        for name, task in namespace.tasks.items()
        if {"dry_run", "environment"} <= inspect.signature(task.body).parameters.keys()
    }
    assert dry == set(CHANGING) | set(ELSEWHERE)
    root = Path(__file__).resolve().parents[2]
    for name, place in ELSEWHERE.items():
        text = (root / place).read_text()
        assert name in text and "--dry-run" in text, f"{place} tries {name} --dry-run"
