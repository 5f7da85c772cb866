"""CodeDeploy's states, as far as a release meets them: each answer is held against botocore's own model.

A deployment is a story of moments; every GetDeployment moves it on by one, and it stays at the last. What CodeDeploy
itself would do is known from its documentation alone: that these are its words and shapes is checked, that it says them
at these times is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.aws_models import conform, conform_refusal
from tests.integration.moto_server import Cloud, Refused

EVENTS = (
    *("BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic"),
    *("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
)
START = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
UNDER_WAY = {"Created", "Queued", "InProgress", "Baking", "Ready"}


@dataclass(frozen=True)
class Moment:
    """A deployment at one time: `at` is the event that is under way, 8 when all are done; `green` its traffic."""

    status: str
    at: int = 0
    green: float = 0.0
    running: int = 2
    error: tuple[str, str] | None = None
    failed: str | None = None
    waits: bool = False


SUCCESS = (
    Moment("Created"),
    Moment("InProgress", 1, running=0),
    Moment("InProgress", 4),
    Moment("InProgress", 6, green=10.0),
    Moment("InProgress", 8, green=100.0, waits=True),
    Moment("Succeeded", 8, green=100.0),
)
HOOK_FAILS = (
    Moment("InProgress", 1, running=0),
    Moment("InProgress", 4),
    Moment(
        "Failed", 4, error=("HEALTH_CONSTRAINTS", "The hook reported a failure"), failed="LambdaFunctionFailed: smoke"
    ),
)
NEVER_HEALTHY = (Moment("InProgress", 1, running=0),)
ALARM = (
    Moment("InProgress", 6, green=10.0),
    Moment("Stopped", 6, error=("ALARM_ACTIVE", "One or more alarms have been activated: ledger-5xx")),
)
READY = (Moment("InProgress", 4), Moment("Ready", 5))
STOPPED = (Moment("Stopped", 6, error=("MANUAL_STOP", "The deployment was stopped by a person")),)
BACK = (Moment("InProgress", 6, green=100.0), Moment("Succeeded", 8, green=100.0))


@dataclass
class Deployment:
    """One of the fake's."""

    id: str
    story: tuple[Moment, ...]
    appspec: str
    description: str = ""
    creator: str = "user"
    created: datetime = START
    rollback: str | None = None
    step: int = -1

    @property
    def now(self) -> Moment:
        return self.story[max(0, min(self.step, len(self.story) - 1))]


@dataclass
class Deployments:
    """The fake: put it into a Cloud with `join`. `next_story` is how the next deployment will go."""

    group: dict[str, Any]
    next_story: tuple[Moment, ...] = SUCCESS
    alarm: bool = False  # one of the group's is on
    page: int = 100  # deployments in one answer of ListDeployments
    cut_over: Callable[[str], None] = lambda _appspec: None  # called once with the appspec of one that succeeded
    all: dict[str, Deployment] = field(default_factory=dict)

    def join(self, cloud: Cloud) -> None:
        for action in self.answers:
            cloud.play(action, lambda given, _moto, action=action: self.answer(action, given))

    def answer(self, action: str, given: dict[str, Any]) -> dict[str, Any]:
        """What CodeDeploy could say, by botocore's model: also where it refuses."""
        try:
            return conform(action, self.answers[action](given))
        except Refused as refused:
            conform_refusal("codedeploy", action, refused.code)
            raise

    @property
    def answers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "GetDeploymentGroup": self._group,
            "CreateDeployment": self._create,
            "GetDeployment": self._get,
            "BatchGetDeployments": self._batch,
            "ListDeployments": self._list,
            "ListDeploymentTargets": self._targets,
            "BatchGetDeploymentTargets": self._target,
            "StopDeployment": self._stop,
        }

    def add(self, story: tuple[Moment, ...], task_definition: str, **more: Any) -> Deployment:
        """One that there was before."""
        number = len(self.all) + 1
        made = Deployment(
            f"d-{number:09d}", story, APPSPEC % task_definition, created=START + timedelta(hours=number), **more
        )
        self.all[made.id] = made
        return made

    def _group(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["deploymentGroupName"] != self.group["deploymentGroupName"]:
            raise Refused("DeploymentGroupDoesNotExistException")
        return {"deploymentGroupInfo": self.group}

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        if any(one.now.status in UNDER_WAY for one in self.all.values()):
            raise Refused("DeploymentLimitExceededException", "one is under way")
        stopped = self.alarm and given.get("overrideAlarmConfiguration", {"enabled": True})["enabled"]
        story = ALARM if stopped else self.next_story
        made = self.add(story, "nothing", description=given.get("description", ""))
        made.appspec = given["revision"]["appSpecContent"]["content"]
        return {"deploymentId": made.id}

    def _get(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._found(given)
        before, found.step = found.now.status, min(found.step + 1, len(found.story) - 1)
        if found.now.status == "Succeeded" != before:
            self.cut_over(found.appspec)
        return {"deploymentInfo": self._info(found)}

    def _batch(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentsInfo": [self._info(self.all[one]) for one in given["deploymentIds"]]}

    def _list(self, given: dict[str, Any]) -> dict[str, Any]:
        only = given.get("includeOnlyStatuses")
        newest = sorted(self.all.values(), key=lambda one: one.created, reverse=True)
        found = [one.id for one in newest if only is None or one.now.status in only]
        start = int(given.get("nextToken", 0))
        more = {"nextToken": str(start + self.page)} if start + self.page < len(found) else {}
        return {"deployments": found[start : start + self.page], **more}

    def _targets(self, given: dict[str, Any]) -> dict[str, Any]:
        if self._found(given).now.status == "Created":
            raise Refused("DeploymentNotStartedException")
        return {"targetIds": ["ledger-staging:ledger-staging"]}

    def _target(self, given: dict[str, Any]) -> dict[str, Any]:
        now = self._found(given).now
        target = {
            "deploymentId": given["deploymentId"],
            "targetId": given["targetIds"][0],
            "lastUpdatedAt": START,
            "status": {"Created": "Pending", "Stopped": "Failed", "Baking": "InProgress"}.get(now.status, now.status),
            "lifecycleEvents": [_event(now, number, name) for number, name in enumerate(EVENTS)],
            "taskSetsInfo": [_side("Blue", 100.0 - now.green, 2), _side("Green", now.green, now.running)],
        }
        return {"deploymentTargets": [{"deploymentTargetType": "ECSTarget", "ecsTarget": target}]}

    def _stop(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._found(given)
        if found.now.status not in UNDER_WAY:
            raise Refused("DeploymentAlreadyCompletedException")
        if given.get("autoRollbackEnabled"):
            made = self.add(BACK, "arn:aws:ecs:eu-central-1:123456789012:task-definition/ledger-staging:1")
            made.creator, found.rollback = "codeDeployRollback", made.id
        found.story, found.step = STOPPED, -1
        return {"status": "Pending", "statusMessage": "stopping"}

    def _found(self, given: dict[str, Any]) -> Deployment:
        if given["deploymentId"] not in self.all:
            raise Refused("DeploymentDoesNotExistException")
        return self.all[given["deploymentId"]]

    def _info(self, one: Deployment) -> dict[str, Any]:
        now = one.now
        return {
            "applicationName": "ledger-staging",
            "deploymentGroupName": self.group["deploymentGroupName"],
            "deploymentId": one.id,
            "status": now.status,
            "createTime": one.created,
            "description": one.description,
            "creator": one.creator,
            "computePlatform": "ECS",
            "instanceTerminationWaitTimeStarted": now.waits,
            "revision": {"revisionType": "AppSpecContent", "appSpecContent": {"content": one.appspec}},
            **({"errorInformation": dict(zip(("code", "message"), now.error, strict=True))} if now.error else {}),
            **({"rollbackInfo": {"rollbackDeploymentId": one.rollback}} if one.rollback else {}),
        }


APPSPEC = """version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: %s
        LoadBalancerInfo: {ContainerName: app, ContainerPort: 8000}
"""


def _event(now: Moment, number: int, name: str) -> dict[str, Any]:
    status = "Succeeded" if number < now.at else "Pending"
    if number == now.at and now.status != "Created":
        status = "Failed" if now.failed else "Skipped" if now.status == "Stopped" else "InProgress"
    event: dict[str, Any] = {"lifecycleEventName": name, "status": status}
    if status == "Succeeded":
        event |= {"startTime": START, "endTime": START + timedelta(seconds=10)}
    if status == "Failed":
        event["diagnostics"] = {"errorCode": "ScriptFailed", "message": now.failed}
    return event


def _side(label: str, traffic: float, running: int) -> dict[str, Any]:
    return {
        "identifer": f"ecs-svc/{label}",
        "desiredCount": 2,
        "pendingCount": 2 - running,
        "runningCount": running,
        "status": "PRIMARY" if label == "Blue" else "ACTIVE",
        "trafficWeight": traffic,
        "targetGroup": {"name": f"ledger-staging-{label.lower()}"},
        "taskSetLabel": label,
    }


__all__ = ["ALARM", "HOOK_FAILS", "NEVER_HEALTHY", "READY", "SUCCESS", "Deployments", "Moment", "replace"]
