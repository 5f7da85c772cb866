"""Releases into an environment that moto and a fake of CodeDeploy play, up to the traffic."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.integration.release_circumstances import deploy
from tests.integration.release_environment import NAME
from tests.integration.release_stage import DIGEST, PLAN, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]


def test_deploy_does_everything_once_and_in_order(stage: Stage) -> None:
    stage.rehearse()
    said = deploy(stage)
    assert said.code == 0, said.error
    assert stage.writes == ["PUT", "RegisterTaskDefinition", "RunTask", "PUT", "CreateDeployment", "PUT"]
    assert (
        said.out.index("✓ rehearsal") < said.out.index("1 record it in") < said.out.index("registered ledger-staging:2")
    )
    assert "  greenroom: Migrated.\n" in said.out
    assert said.out.endswith("ledger-staging:2 bears the traffic; the old side is gone.\n")
    phases = [line.partition(" s  ")[2] for line in said.error.splitlines()]
    assert phases == [
        "waiting for the deployment to begin",
        "Install",
        "AfterAllowTestTraffic",
        "AllowTraffic",
        "baking: the old side is kept for a way back",
        "after AfterAllowTraffic",
    ]


def test_deploy_migrates_with_the_new_image_by_the_rehearsed_plan(stage: Stage) -> None:
    stage.rehearse()
    assert deploy(stage).code == 0
    registered = stage.cloud.called("RegisterTaskDefinition")[0].parameters["containerDefinitions"][0]
    assert registered["image"] == f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/ledger@{DIGEST}"
    run = stage.cloud.called("RunTask")[0].parameters
    assert run["taskDefinition"].endswith(f"{NAME}:2")
    assert (run["launchType"], run["count"], run["networkConfiguration"]) == ("FARGATE", 1, stage.network)
    override = run["overrides"]["containerOverrides"][0]
    assert (override["name"], override["command"][:2], override["command"][3:]) == ("app", ["python", "-c"], [PLAN])
    assert len(json.dumps(run["overrides"])) < 8192
    made = stage.cloud.called("CreateDeployment")[0].parameters
    appspec = yaml.safe_load(made["revision"]["appSpecContent"]["content"])
    properties = appspec["Resources"][0]["TargetService"]["Properties"]
    assert properties["TaskDefinition"].endswith(f"{NAME}:2")
    assert properties["LoadBalancerInfo"] == {"ContainerName": "app", "ContainerPort": 8000}


def test_deploy_leaves_a_record(stage: Stage) -> None:
    stage.rehearse()
    assert deploy(stage).code == 0
    (record,) = stage.objects("releases/")
    assert record["image"] == DIGEST
    assert (record["plans"], record["unrehearsed"]) == ([PLAN], None)
    assert record["task_definition"].endswith(":2") and record["task_definition_before"].endswith(":1")
    assert record["deployment"] == "d-000000001"
    assert record["by"].startswith("arn:aws:")


def test_without_a_rehearsal_nothing_is_released(stage: Stage) -> None:
    said = deploy(stage)
    assert said.code == 1
    assert said.error.startswith("no rehearsal of sha256:a1a1a1a1a1a1 is known: not released.\n  Rehearse it: ./inv ")
    assert stage.writes == []


def test_unrehearsed_goes_through_and_on_record(stage: Stage) -> None:
    said = deploy(stage, "--unrehearsed", "hotfix 1234")
    assert said.code == 0, said.error
    assert "in a one-off task, whatever is pending, UNREHEARSED\n" in said.out
    description = stage.cloud.called("CreateDeployment")[0].parameters["description"]
    assert description == "greenroom: sha256:a1a1a1a1a1a1, UNREHEARSED: hotfix 1234"
    assert stage.objects("releases/")[0]["unrehearsed"] == "hotfix 1234"
    assert stage.writes[0] == "PUT", "on record before anything is done"
    assert stage.cloud.called("RunTask")[0].parameters["overrides"]["containerOverrides"][0]["command"][3:] == ["any"]


def test_unrehearsed_needs_a_reason(stage: Stage) -> None:
    said = deploy(stage, "--unrehearsed", " ")
    assert (said.code, said.error.splitlines()[0]) == (2, "--unrehearsed needs a reason: it goes on record.")
    assert stage.writes == []


def test_unrehearsed_excuses_nothing_else(stage: Stage) -> None:
    stage.service["status"] = "DRAINING"
    said = deploy(stage, "--unrehearsed", "hotfix 1234")
    assert (said.code, said.error.splitlines()[0]) == (1, "not released: the service is DRAINING.")
    assert stage.writes == []


@pytest.mark.parametrize(
    ("exit_code", "reason", "log", "code", "sentence"),
    [
        (
            *(3, "Essential container in task exited"),
            *("greenroom: This plan was not rehearsed; the rehearsed: c3c3.", 1),
            "not migrated: the database is not where a rehearsal of this image began. This plan was not rehearsed; "
            "the rehearsed: c3c3.",
        ),
        (
            *(4, "Essential container in task exited", "greenroom: Another process is migrating this database.", 2),
            "not migrated to its end: Another process is migrating this database.",
        ),
        (
            *(1, "Essential container in task exited", "greenroom: IntegrityError, sqlstate 23505", 1),
            "ended with 1: Essential container in task exited; app ended with 1. Its last words: greenroom: "
            "IntegrityError, sqlstate 23505",
        ),
        (
            *(None, "CannotPullContainerError: pull image manifest has been retried 7 time(s)", "", 1),
            "never ran: CannotPullContainerError: pull image manifest has been retried 7 time(s).",
        ),
    ],
)
def test_a_migration_that_fails_moves_no_traffic(
    stage: Stage, exit_code: int | None, reason: str, log: str, code: int, sentence: str
) -> None:
    stage.rehearse()
    stage.exit_code, stage.stopped_reason, stage.log = exit_code, reason, [log] if log else []
    said = deploy(stage)
    assert said.code == code
    assert sentence in said.error
    assert "CreateDeployment" not in stage.writes


def test_a_task_that_cannot_be_placed_is_told(stage: Stage) -> None:
    stage.rehearse()
    stage.cloud.play("RunTask", lambda _given, _moto: {"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]})
    said = deploy(stage)
    assert (said.code, said.error.splitlines()[0]) == (2, "ECS does not start the one-off task: RESOURCE:ENI.")
    assert "CreateDeployment" not in stage.writes
