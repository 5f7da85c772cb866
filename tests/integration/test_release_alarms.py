"""An alarm of the deployment group that is on: what begins is stopped by CodeDeploy, so it is looked at before."""

from __future__ import annotations

import pytest

from tests.integration.release_circumstances import IMAGE, deploy, released
from tests.integration.release_environment import ALARM
from tests.integration.release_stage import Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]

SENTENCE = (
    f"alarm {ALARM} is in ALARM: Threshold Crossed: 2 datapoints were greater than the threshold (5.0). "
    "CodeDeploy would stop the deployment, after the migration."
)


@pytest.mark.parametrize("task", ["deploy", "release-migrate", "doctor"])
def test_nothing_is_migrated_while_one_is_on(stage: Stage, task: str) -> None:
    stage.rehearse()
    stage.raise_alarm()
    said = stage.staging(task, *IMAGE, *(() if task == "doctor" else ("--yes",)))
    assert said.code == 1
    assert f"✗ alarms         {SENTENCE}\n" in said.out
    assert "--despite-alarm REASON\n" in said.out
    assert task == "doctor" or said.error.startswith(f"not released: {SENTENCE}\n")
    assert stage.writes == []


def test_release_goes_past_it_for_a_reason_on_record(stage: Stage) -> None:
    stage.rehearse()
    stage.raise_alarm()
    said = deploy(stage, "--despite-alarm", "this mends it")
    assert said.code == 0, said.error
    assert ", with the reason: this mends it\n" in said.out
    assert "; failures, and NO ALARM, take it back\n" in said.out
    made = stage.cloud.called("CreateDeployment")[0].parameters
    assert made["overrideAlarmConfiguration"] == {"enabled": False}
    assert made["description"] == f"greenroom: {IMAGE[1][:19]}, rehearsed, DESPITE AN ALARM: this mends it"
    assert stage.objects("releases/")[0]["despite_alarm"] == "this mends it"


def test_alarms_are_asked_where_nobody_says_otherwise(stage: Stage) -> None:
    stage.rehearse()
    assert deploy(stage).code == 0
    made = stage.cloud.called("CreateDeployment")[0].parameters
    assert "overrideAlarmConfiguration" not in made
    assert stage.objects("releases/")[0]["despite_alarm"] is None


def test_reason_that_is_empty_is_none(stage: Stage) -> None:
    said = deploy(stage, "--despite-alarm", " ")
    assert (said.code, said.error.splitlines()[0]) == (2, "--despite-alarm needs a reason: it goes on record.")
    assert stage.writes == []


def test_dry_run_past_it_sends_nothing(stage: Stage) -> None:
    stage.rehearse()
    stage.raise_alarm()
    said = stage.staging("deploy", *IMAGE, "--despite-alarm", "this mends it", "--dry-run")
    assert said.code == 0 and "NO ALARM" in said.out
    assert stage.writes == []


def test_rollback_goes_past_the_alarm_that_made_it_necessary(stage: Stage) -> None:
    released(stage)
    stage.raise_alarm()
    said = stage.staging("rollback", "--yes")
    assert said.code == 0, said.error
    assert f"  No alarm stops it: {ALARM}\n" in said.out
    made = stage.cloud.called("CreateDeployment")[0].parameters
    assert made["overrideAlarmConfiguration"] == {"enabled": False}


def test_permission_that_a_rollback_past_alarms_lacks_is_named(stage: Stage) -> None:
    released(stage)
    action = "codedeploy:UpdateDeploymentGroup"
    stage.cloud.refuse("CreateDeployment", "AccessDeniedException", f"is not authorized to perform: {action} on x")
    said = stage.staging("rollback", "--yes")
    assert (said.code, said.error.splitlines()[0]) == (2, f"AWS does not let this identity do {action}.")
    assert f"A deployment that no alarm stops needs {action} beside " in said.error
