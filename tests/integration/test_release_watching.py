"""A deployment or a migration that is watched: what fails, is late or is left alone, and what is told of it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from greenroom.release import one_off, watching
from tests.integration import deployments as fake
from tests.integration.release_circumstances import IMAGE, UNHEALTHY, deploy
from tests.integration.release_environment import NAME
from tests.integration.release_stage import Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]


def short_patience(stage: Stage) -> None:
    path = stage.root / "pyproject.toml"
    path.write_text(path.read_text() + "\n[tool.greenroom.environments.staging.release]\ndeployment_minutes = 0.002\n")


def test_a_hook_that_fails_is_told_with_its_phase_and_health(stage: Stage) -> None:
    stage.rehearse()
    stage.deployments.next_story = fake.HOOK_FAILS
    stage.cloud.play("DescribeTargetHealth", lambda _given, _moto: UNHEALTHY)
    said = deploy(stage)
    assert said.code == 1
    assert (
        "deployment d-000000001 failed in AfterAllowTestTraffic: The hook reported a failure (HEALTH_CONSTRAINTS)."
        in said.error
    )
    assert "  ✗ AfterAllowTestTraffic: LambdaFunctionFailed: smoke\n" in said.error
    assert "  traffic: blue 100 %, green 0 %\n" in said.error
    assert (
        "green 2/2 running, 1 unhealthy (Target.ResponseCodeMismatch: Health checks failed with these codes: [400])"
        in (said.error)
    )


def test_an_alarm_that_stops_is_told(stage: Stage) -> None:
    stage.rehearse()
    stage.deployments.next_story = fake.ALARM
    said = deploy(stage)
    assert said.code == 1
    assert "d-000000001 stopped: One or more alarms have been activated: ledger-5xx (ALARM_ACTIVE).\n" in said.error


def test_a_timeout_is_told_with_health_and_stop_reasons(stage: Stage) -> None:
    stage.rehearse()
    short_patience(stage)
    stage.deployments.next_story = fake.NEVER_HEALTHY
    stage.cloud.play("DescribeTargetHealth", lambda _given, _moto: UNHEALTHY)
    stage.cloud.play(
        "ListTasks", lambda _given, _moto: {"taskArns": ["arn:aws:ecs:eu-central-1:123456789012:task/t/1"]}
    )
    task = {
        "taskDefinitionArn": f"arn:aws:ecs:eu-central-1:123456789012:task-definition/{NAME}:2",
        "taskArn": "arn:aws:ecs:eu-central-1:123456789012:task/t/1",
        "lastStatus": "STOPPED",
        "stoppedReason": "Task failed ELB health checks",
        "containers": [{"name": "app", "exitCode": 0}],
    }
    stage.cloud.play("DescribeTasks", lambda _given, _moto: {"tasks": [task]})
    said = deploy(stage)
    assert said.code == 2
    assert "deployment d-000000001 is not over after 0.002 min: in progress, Install.\n" in said.error
    assert "green 0/2 running, 2 starting, 1 unhealthy (Target.ResponseCodeMismatch" in said.error
    assert "a task stopped: Task failed ELB health checks\n" in said.error
    assert said.error.endswith("take it back: ./inv rollback --environment staging\n")


def test_who_stops_watching_stops_no_deployment(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.rehearse()

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "time", _Clock(interrupt))
    said = deploy(stage)
    assert said.code == 130
    assert "Deployment d-000000001 goes on without being watched.\n" in said.error
    assert "StopDeployment" not in stage.writes


class _Clock:
    """The module `time`, with a sleep of its own."""

    def __init__(self, sleep: Any) -> None:
        import time

        self.sleep, self.monotonic = sleep, time.monotonic


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_watching_the_migration_stops_no_migration(
    stage: Stage, number: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.rehearse()

    class Clock:
        from time import monotonic

        @staticmethod
        def sleep(_seconds: float) -> None:
            signal.raise_signal(number)

    monkeypatch.setattr(one_off, "time", Clock)
    said = stage.staging("deploy", *IMAGE, "--yes")
    assert said.code == code
    assert " goes on without being watched.\n  See it: ./inv ecs-logs --environment staging --since 1h --task " in (
        said.error
    )
    assert stage.writes == ["PUT", "RegisterTaskDefinition", "RunTask"]


def test_bad_moments_of_aws_end_no_migration(stage: Stage) -> None:
    stage.rehearse()
    # More than botocore itself tries a call: three times.
    stage.cloud.refuse("DescribeTasks", "ServerException", status=500, times=4)
    stage.cloud.refuse("GetLogEvents", "ThrottlingException", times=4)
    said = stage.staging("deploy", *IMAGE, "--yes")
    assert said.code == 0, said.error
    assert "  greenroom: Migrated.\n" in said.out
