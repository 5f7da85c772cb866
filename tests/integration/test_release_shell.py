"""A shell beside what runs, and what it logs: `ecs-shell` and `ecs-logs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.aws_models import conform
from tests.integration.release_circumstances import IMAGE, programs
from tests.integration.release_environment import NAME, REGION
from tests.integration.release_stage import Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "programs", "stage"]


def with_agent(stage: Stage) -> None:
    agent = {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}
    task = {"lastStatus": "RUNNING", "containers": [{"name": "app", "managedAgents": [agent]}]}
    stage.cloud.play("DescribeTasks", lambda _given, _moto: conform("DescribeTasks", {"tasks": [task]}, "ecs"))


def test_shell_leaves_nothing_behind(stage: Stage, programs: Path) -> None:
    with_agent(stage)
    said = stage.staging("ecs-shell", "--yes")
    assert said.code == 7, "the shell's own"
    assert stage.writes == ["RegisterTaskDefinition", "RunTask", "StopTask", "DeregisterTaskDefinition"]
    words = programs.read_text()
    assert words.startswith(f"aws ecs execute-command --region {REGION} --cluster {NAME} --task arn:aws:ecs:")
    assert words.endswith(" --container app --interactive --command /bin/sh\n")
    left = stage.client("ecs").list_task_definitions(familyPrefix=f"{NAME}-shell", status="ACTIVE")
    assert left["taskDefinitionArns"] == []


def test_shell_whose_task_cannot_start_leaves_nothing_behind(stage: Stage, programs: Path) -> None:
    stage.cloud.refuse("RunTask", "ClusterNotFoundException")
    said = stage.staging("ecs-shell", "--yes")
    assert said.code == 2 and "RunTask (ClusterNotFoundException)" in said.error
    assert stage.writes == ["RegisterTaskDefinition", "RunTask", "DeregisterTaskDefinition"]
    assert not programs.exists()


def test_shell_needs_the_plugin(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = stage.staging("ecs-shell", "--yes")
    assert (said.code, said.error.splitlines()[0]) == (
        2,
        "aws is not on this machine, and ECS exec goes through it.",
    )
    assert stage.cloud.calls == []


def test_logs_of_what_runs(stage: Stage) -> None:
    stage.rehearse()
    assert stage.staging("release-migrate", *IMAGE, "--yes").code == 0
    said = stage.staging("ecs-logs")
    assert said.code == 0, said.error
    assert [line[18:] for line in said.out.splitlines()] == [
        "greenroom: Pending: ledger.0010_x; plan c3c3.",
        "greenroom: Migrated.",
    ]
    bad = stage.staging("ecs-logs", "--since", "soon")
    assert (bad.code, bad.error.splitlines()[0]) == (2, "--since soon is no age.")
