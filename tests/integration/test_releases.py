"""Releases into an environment that moto and a fake of CodeDeploy play."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from greenroom.release import watching
from tests.integration import deployments as fake
from tests.integration.release_stage import (
    DIGEST,
    NAME,
    OTHER,
    PLAN,
    Stage,
    checkout,
    cloud,
    moto,
    stage,
)

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]

UNHEALTHY = """<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>10.0.0.9</Id><Port>8000</Port></Target>
<TargetHealth><State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason>
<Description>Health checks failed with these codes: [400]</Description></TargetHealth></member>
</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"""


def deploy(stage: Stage, *words: str) -> Any:
    return stage.staging("deploy", "--image", DIGEST, "--yes", *words)


def short_patience(stage: Stage) -> None:
    path = stage.root / "pyproject.toml"
    path.write_text(path.read_text() + "\n[tool.greenroom.environments.staging.release]\ndeployment_minutes = 0.002\n")


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


def test_rollback_in_the_middle_breaks_off_and_watches_the_way_back(stage: Stage) -> None:
    stage.rehearse()
    stage.deployments.add((fake.Moment("InProgress", 6, green=50.0),), _definition(stage, DIGEST))
    said = stage.staging("rollback", "--yes")
    assert said.code == 0, said.error
    assert stage.writes == ["PUT", "StopDeployment"]
    assert stage.cloud.called("StopDeployment")[0].parameters["autoRollbackEnabled"] is True
    assert "  break off deployment d-000000001: the traffic goes back to where it was\n" in said.out
    allowed = "The schema allows it: a rehearsal tried the release before on it: v1 reads and writes 8 models"
    assert f"  {allowed}\n" in said.out
    assert said.out.endswith(
        "taken back by d-000000002\ndeployment d-000000001 is broken off; the traffic is where it was.\n"
    )
    assert stage.objects("releases/")[0]["kind"] == "rollback"


def test_rollback_that_comes_too_late_says_so(stage: Stage) -> None:
    one = stage.deployments.add((fake.Moment("InProgress", 8, green=100.0),), _definition(stage, DIGEST))
    one.story = (*one.story, fake.Moment("Succeeded", 8, green=100.0))
    stage.cloud.play("StopDeployment", lambda _given, _moto: (_ for _ in ()).throw(fake.Refused(COMPLETED)))
    said = stage.staging("rollback", "--yes")
    assert said.code == 1
    assert "deployment d-000000001 was over before it could be broken off.\n" in said.error


COMPLETED = "DeploymentAlreadyCompletedException"


def _definition(stage: Stage, digest: str) -> str:
    """A further revision, of an image."""
    from tests.integration.release_stage import _definition as definition

    answer = stage.client("ecs").register_task_definition(**definition(digest))
    stage.clear()
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def released(stage: Stage) -> None:
    """Revision 2, of DIGEST, runs; 1 ran before."""
    stage.deployments.add(fake.SUCCESS, stage.service["taskSets"][0]["taskDefinition"], step=9)
    after = _definition(stage, DIGEST)
    stage.deployments.add(fake.SUCCESS, after, step=9)
    stage.service["taskSets"][0]["taskDefinition"] = after


def test_rollback_afterwards_deploys_what_ran_before(stage: Stage) -> None:
    stage.rehearse()
    released(stage)
    said = stage.staging("rollback", "--yes")
    assert said.code == 0, said.error
    assert f"  deploy {NAME}:1 again, in place of {NAME}:2\n" in said.out
    assert stage.writes == ["PUT", "CreateDeployment", "PUT"]
    made = stage.cloud.called("CreateDeployment")[0].parameters
    assert f"task-definition/{NAME}:1" in made["revision"]["appSpecContent"]["content"]
    assert made["description"] == f"greenroom: rollback from {NAME}:2"
    assert said.out.endswith(f"{NAME}:1 bears the traffic again.\n")


def test_after_a_rollback_the_next_one_does_not_go_forward(stage: Stage) -> None:
    released(stage)
    stage.service["taskSets"][0]["taskDefinition"] = first = (
        stage.deployments.all["d-000000001"].appspec.split("TaskDefinition: ")[1].split("\n")[0]
    )
    assert first.endswith(":1")
    said = stage.staging("rollback", "--yes")
    assert (said.code, said.error.splitlines()[0]) == (1, f"no release before {NAME}:1 is known to have succeeded.")
    assert stage.writes == []


def test_rollback_is_refused_where_the_old_release_failed_on_the_schema(stage: Stage) -> None:
    def fail(made: Any) -> None:
        made.drills[0].status, made.drills[0].reason = "failed", "v1 cannot read ledger.Release"

    stage.rehearse(fail)
    released(stage)
    said = stage.staging("rollback", "--yes")
    assert said.code == 1
    assert said.error.splitlines()[0] == (
        "not rolled back: the schema does not allow it: the release before failed on it: v1 cannot read ledger.Release"
    )
    assert stage.writes == []
    assert stage.staging("rollback", "--yes", "--despite-schema").code == 0


def test_rollback_says_where_nobody_knows(stage: Stage) -> None:
    released(stage)
    said = stage.staging("rollback", "--dry-run")
    assert "Whether the release before can live on this schema is not known: no rehearsal tried it." in said.out


def test_status_tells_sides_and_the_newest_deployment(stage: Stage) -> None:
    stage.deployments.add((fake.Moment("InProgress", 6, green=10.0),), _definition(stage, OTHER))
    said = stage.staging("status")
    assert (said.code, said.error) == (0, "")
    assert f"  primary {NAME}:1: 2/2 running; targets: no targets\n" in said.out
    assert f"deployment d-000000001 to {NAME}:2, in progress\n" in said.out
    assert "  ▸ AllowTraffic\n" in said.out
    assert "  traffic: blue 90 %, green 10 %\n" in said.out
    assert stage.writes == []
