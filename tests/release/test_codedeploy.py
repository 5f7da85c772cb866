"""CodeDeploy's words as ours, and the fake of it: every answer of every moment is one that botocore's model knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.release import codedeploy, deploying
from greenroom.release.codedeploy import STATES, CodeDeploy
from greenroom.release.deployer import Phase, Progress, Side
from tests.aws_models import conform_refusal, operation_model, service_model
from tests.integration import deployments as fake
from tests.integration.deployments import Deployments, Moment
from tests.integration.moto_server import Refused
from tests.release import scene
from tests.release.scene import DEFINITION, LISTENER, NAME, NOW, Played, error

GROUP: dict[str, Any] = {
    "deploymentGroupName": NAME,
    "serviceRoleArn": "arn:aws:iam::123456789012:role/x",
    "ecsServices": [{"serviceName": NAME, "clusterName": NAME}],
    "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
    "blueGreenDeploymentConfiguration": {
        "terminateBlueInstancesOnDeploymentSuccess": {"terminationWaitTimeInMinutes": 5}
    },
    "loadBalancerInfo": {
        "targetGroupPairInfoList": [
            {"targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [LISTENER]}}
        ]
    },
}
STORIES = {
    name: story for name, story in vars(fake).items() if isinstance(story, tuple) and isinstance(story[0], Moment)
}


def deployer(**answers: Any) -> CodeDeploy:
    return CodeDeploy(Played(**answers), scene.where())


def test_wiring() -> None:
    found = deployer(get_deployment_group={"deploymentGroupInfo": GROUP}).wiring()
    assert (found.service, found.listener, found.target_groups) == (f"{NAME}/{NAME}", LISTENER, ("blue", "green"))
    assert (found.bake_minutes, found.failure_rolls_back, found.alarm_rolls_back) == (5, True, False)


def test_wiring_of_a_group_that_deploys_to_servers() -> None:
    found = deployer(get_deployment_group={"deploymentGroupInfo": {"deploymentGroupName": NAME}}).wiring()
    assert (found.listener, found.target_groups, found.bake_minutes) == (None, (), 0)
    assert not found.failure_rolls_back and not found.alarm_rolls_back


@pytest.mark.parametrize(
    ("rollback", "alarms", "past_alarms", "told"),
    [
        ((True, "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"), True, False, "alarms and failures take it back"),
        ((True, "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"), True, True, "failures, and NO ALARM, take it back"),
        (
            (True, "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"),
            False,
            False,
            "failures, and NO ALARM, take it back",
        ),
        ((True, "DEPLOYMENT_FAILURE"), True, False, "failures, and NO ALARM, take it back"),
        ((True, "DEPLOYMENT_STOP_ON_ALARM"), True, False, "alarms, and NO FAILURE, take it back"),
        ((True, "DEPLOYMENT_STOP_ON_ALARM"), True, True, "NOTHING takes it back by itself"),
        ((True, "DEPLOYMENT_STOP_ON_REQUEST"), True, False, "NOTHING takes it back by itself"),
        ((False, "DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"), True, False, "NOTHING takes it back by itself"),
    ],
)
def test_what_takes_it_back_is_what_the_group_says(
    rollback: tuple[bool, str], alarms: bool, past_alarms: bool, told: str
) -> None:
    enabled, *events = rollback
    group = {
        **GROUP,
        "autoRollbackConfiguration": {"enabled": enabled, "events": events},
        "alarmConfiguration": {"enabled": alarms, "alarms": [{"name": "slow"}]},
    }
    wiring = deployer(get_deployment_group={"deploymentGroupInfo": group}).wiring()
    assert deploying.way_back(wiring, past_alarms=past_alarms) == told


@pytest.mark.parametrize(("enabled", "alarms"), [(True, ("slow", "errors")), (False, ())])
def test_alarms_that_stop_a_deployment(enabled: bool, alarms: tuple[str, ...]) -> None:
    configured = {"enabled": enabled, "alarms": [{"name": "slow"}, {"name": "errors"}]}
    answer = {"deploymentGroupInfo": {**GROUP, "alarmConfiguration": configured}}
    assert deployer(get_deployment_group=answer).wiring().alarms == alarms


def test_missing_group_is_told_with_what_makes_it() -> None:
    missing = error("not found", "DeploymentGroupDoesNotExistException")
    with pytest.raises(GreenroomError) as refused:
        deployer(get_deployment_group=missing).wiring()
    assert refused.value.sentence == f"CodeDeploy has no deployment group {NAME} in {NAME}."
    assert refused.value.hint.startswith("Make it (./inv tf-apply --environment staging), or name another")


def progress(info: dict[str, Any], target: dict[str, Any] | None = None) -> Progress:
    targets = {"targetIds": ["x"]} if target else {}
    return deployer(
        get_deployment={"deploymentInfo": info},
        list_deployment_targets=targets,
        batch_get_deployment_targets={"deploymentTargets": [{"ecsTarget": target or {}}]},
    ).progress("d-1")


def test_every_status_of_the_model_is_known() -> None:
    shape = service_model("codedeploy").shape_for("DeploymentStatus")
    assert set(shape.enum) == set(STATES)  # type: ignore[attr-defined]
    states = service_model("codedeploy").shape_for("LifecycleEventStatus")
    assert set(states.enum) == {*codedeploy._PHASES, "Unknown"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_states(status: str, state: str) -> None:
    assert progress({"status": status}).state == state


def test_old_side_that_waits_for_its_end_is_the_bake() -> None:
    assert progress({"status": "InProgress", "instanceTerminationWaitTimeStarted": True}).state == "baking"
    assert progress({"status": "Succeeded", "instanceTerminationWaitTimeStarted": True}).state == "succeeded"


def test_phases_and_sides() -> None:
    found = progress(
        {"status": "InProgress", "errorInformation": {"code": "ALARM_ACTIVE", "message": "It rang."}},
        {
            "lifecycleEvents": [
                {
                    "lifecycleEventName": "Install",
                    "status": "Succeeded",
                    "startTime": NOW,
                    "endTime": NOW + timedelta(seconds=10),
                    "diagnostics": {"errorCode": "Success", "message": "Succeeded"},
                },
                {
                    "lifecycleEventName": "AfterInstall",
                    "status": "Failed",
                    "diagnostics": {"errorCode": "ScriptFailed", "message": "smoke"},
                },
            ],
            "taskSetsInfo": [
                {
                    "taskSetLabel": "Green",
                    "trafficWeight": 10.0,
                    "desiredCount": 2,
                    "runningCount": 1,
                    "pendingCount": 1,
                    "targetGroup": {"name": "green"},
                }
            ],
        },
    )
    assert found.phases == (Phase("Install", "succeeded", 10.0), Phase("AfterInstall", "failed", None, "smoke"))
    assert found.sides == (Side("green", 10.0, 2, 1, 1, "green"),)
    assert (found.reason, found.traffic) == ("It rang (ALARM_ACTIVE).", "green 10 %")
    assert found.failed_phase and found.failed_phase.name == "AfterInstall"


def test_one_that_has_only_begun_has_no_targets() -> None:
    not_started = error("refused", "DeploymentNotStartedException")
    found = deployer(get_deployment={"deploymentInfo": {"status": "Created"}}, list_deployment_targets=not_started)
    assert found.progress("d-1") == Progress("d-1", "waiting")


AS_JSON = (
    '{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": '
    '{"TaskDefinition": "arn:2", "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8000}}}}]}'
)


@pytest.mark.parametrize(
    ("revision", "found"),
    [
        ({"appSpecContent": {"content": fake.APPSPEC % "arn:1"}}, "arn:1"),
        ({"revisionType": "String", "string": {"content": AS_JSON}}, "arn:2"),
        ({"appSpecContent": {"sha256": "0"}}, None),
        ({"appSpecContent": {"content": "Resources: []"}}, None),
        ({"appSpecContent": {"content": "{"}}, None),
        ({"appSpecContent": {"content": "[1, 2]"}}, None),
        ({"revisionType": "S3", "s3Location": {"bucket": "b"}}, None),
        ({}, None),
    ],
)
def test_task_definition_of_a_revision(revision: dict[str, Any], found: str | None) -> None:
    assert progress({"status": "Created", "revision": revision}).task_definition == found


def info(id: str, hours: int, revision: int | None = None) -> dict[str, Any]:
    appspec = {"appSpecContent": {"content": fake.APPSPEC % f"{DEFINITION}:{revision}"}} if revision else {}
    return {"deploymentId": id, "createTime": NOW + timedelta(hours=hours), "revision": appspec}


def test_newest_and_history_go_by_time_whatever_the_order() -> None:
    made = deployer(
        list_deployments={"deployments": ["a", "b", "c"]},
        batch_get_deployments={"deploymentsInfo": [info("a", 1, 1), info("b", 3), info("c", 2, 2)]},
    )
    assert made.newest() == "b"
    assert [(one.id, one.task_definition) for one in made.history()] == [
        ("c", f"{DEFINITION}:2"),
        ("a", f"{DEFINITION}:1"),
    ], "b does not tell what it deployed"


def test_nothing_was_deployed_yet() -> None:
    made = deployer(list_deployments={})
    assert (made.newest(), made.under_way(), made.history()) == (None, None, [])


def test_no_more_are_asked_for_than_one_call_takes() -> None:
    guard = Played(
        list_deployments={"deployments": [f"d-{n}" for n in range(60)]},
        batch_get_deployments={"deploymentsInfo": []},
    )
    CodeDeploy(guard, scene.where()).history()
    assert len(dict(guard.calls)["batch_get_deployments"]["deploymentIds"]) == codedeploy.BATCH == 25


def test_stop_of_one_that_is_over_is_no_error() -> None:
    deployer(stop_deployment=error("refused", "DeploymentAlreadyCompletedException")).stop("d-1")
    conform_refusal("codedeploy", "StopDeployment", "DeploymentAlreadyCompletedException")
    with pytest.raises(GreenroomError):
        deployer(stop_deployment=scene.DENIED).stop("d-1")


def test_description_is_cut_to_what_fits() -> None:
    guard = Played(create_deployment={"deploymentId": "d-1"})
    assert CodeDeploy(guard, scene.where()).start("arn:1", "version: 0.0\n", "x" * 5000) == "d-1"
    asked = guard.calls[0][1]
    assert len(asked["description"]) == codedeploy.LONGEST
    assert asked["revision"]["appSpecContent"]["content"] == "version: 0.0\n"


@pytest.mark.parametrize(("past", "override"), [(True, {"enabled": False}), (False, None)])
def test_alarms_are_not_asked_only_where_somebody_says_so(past: bool, override: dict[str, bool] | None) -> None:
    guard = Played(create_deployment={"deploymentId": "d-1"})
    CodeDeploy(guard, scene.where()).start("arn:1", "version: 0.0\n", "x", past_alarms=past)
    assert guard.calls[0][1].get("overrideAlarmConfiguration") == override


@pytest.mark.parametrize(("past", "hint"), [(True, codedeploy.PAST_ALARMS), (False, scene.DENIED.hint)])
def test_the_permission_that_an_override_needs_is_named(past: bool, hint: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        deployer(create_deployment=scene.DENIED).start("arn:1", "version: 0.0\n", "x", past_alarms=past)
    assert (refused.value.sentence, refused.value.hint) == (scene.DENIED.sentence, hint)
    assert "codedeploy:UpdateDeploymentGroup" in codedeploy.PAST_ALARMS


def test_another_that_has_begun_meanwhile_is_no_quota() -> None:
    conform_refusal("codedeploy", "CreateDeployment", "DeploymentLimitExceededException")
    limit = error("quota", "DeploymentLimitExceededException")
    with pytest.raises(GreenroomError) as refused:
        deployer(create_deployment=limit).start("arn:1", "version: 0.0\n", "x")
    assert refused.value.sentence == (
        "CodeDeploy begins nothing: another deployment of this service has begun meanwhile."
    )
    assert refused.value.hint.startswith("See it: ./inv status --environment staging; then run again")


@pytest.mark.parametrize(("creator", "takes_back"), [("user", False), (codedeploy.TAKES_BACK, True)])
def test_who_has_begun_it(creator: str, takes_back: bool) -> None:
    assert creator in service_model("codedeploy").shape_for("DeploymentCreator").enum  # type: ignore[attr-defined]
    assert progress({"status": "InProgress", "creator": creator}).takes_back is takes_back


# -- the fake of the integration tests


@pytest.mark.parametrize("story", STORIES)
def test_fake_says_only_what_the_model_knows(story: str) -> None:
    made = Deployments(GROUP, next_story=STORIES[story])
    content = {"revisionType": "AppSpecContent", "appSpecContent": {"content": fake.APPSPEC % "arn:1"}}
    made.answer("CreateDeployment", {"revision": content})
    for _ in [*STORIES[story], None]:
        made.answer("GetDeployment", {"deploymentId": "d-000000001"})
        made.answer("BatchGetDeployments", {"deploymentIds": ["d-000000001"]})
        made.answer("ListDeployments", {})
        made.answer("BatchGetDeploymentTargets", {"deploymentId": "d-000000001", "targetIds": ["x"]})
        if made.all["d-000000001"].now.status != "Created":
            made.answer("ListDeploymentTargets", {"deploymentId": "d-000000001"})
    made.answer("GetDeploymentGroup", {"deploymentGroupName": NAME})


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("GetDeploymentGroup", {"deploymentGroupName": "other"}),
        ("GetDeployment", {"deploymentId": "d-9"}),
        ("ListDeploymentTargets", {"deploymentId": "d-000000001"}),
        ("StopDeployment", {"deploymentId": "d-000000002"}),
        ("CreateDeployment", {"revision": {"appSpecContent": {"content": ""}}}),
    ],
)
def test_fake_refuses_only_as_the_model_knows(action: str, given: dict[str, Any]) -> None:
    made = Deployments(GROUP)
    made.add((Moment("Created"),), "arn:1")
    made.add((Moment("Succeeded", 8),), "arn:1")
    with pytest.raises(Refused):
        made.answer(action, given)


def test_fake_stops_as_the_model_knows() -> None:
    made = Deployments(GROUP)
    made.add(fake.READY, "arn:1")
    made.answer("StopDeployment", {"deploymentId": "d-000000001", "autoRollbackEnabled": True})
    assert made.all["d-000000001"].rollback == "d-000000002"


@pytest.mark.parametrize("action", sorted(Deployments(GROUP).answers))
def test_fake_plays_operations_that_there_are(action: str) -> None:
    assert operation_model("codedeploy", action).name == action


def test_fake_would_be_caught() -> None:
    """The check of the fake can fail: a member, a type, a word and an error that the model does not have."""
    from tests.aws_models import conform, conform_xml

    for answer in ({"deployment": {}}, {"deploymentInfo": {"status": "Done"}}, {"deploymentInfo": {"status": 1}}):
        with pytest.raises(AssertionError):
            conform("GetDeployment", answer)
    with pytest.raises(AssertionError):
        conform_refusal("codedeploy", "GetDeployment", "Nonsense")
    with pytest.raises(AssertionError):
        conform_xml(
            "elbv2", "DescribeTargetHealth", "<R><DescribeTargetHealthResult><X>1</X></DescribeTargetHealthResult></R>"
        )
