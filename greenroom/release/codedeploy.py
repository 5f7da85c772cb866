"""Blue/green by CodeDeploy: the one module that knows it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, cast

import yaml

from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.release.deployer import Past, Phase, Progress, Side, State, Wiring
from greenroom.release.place import Place

STATES: dict[str, State] = {
    "Created": "waiting",
    "Queued": "waiting",
    "InProgress": "in progress",
    "Baking": "baking",
    "Ready": "ready",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Stopped": "stopped",
}
UNDER_WAY = ["Created", "Queued", "InProgress", "Baking", "Ready"]
TAKES_BACK = "codeDeployRollback"  # the creator of a deployment that CodeDeploy itself has begun
BATCH = 25  # deployments that BatchGetDeployments takes
_CANARY = re.compile(r"^CodeDeployDefault\.ECSCanary\d+Percent(\d+)Minutes$")
_LINEAR = re.compile(r"^CodeDeployDefault\.ECSLinear(\d+)PercentEvery(\d+)Minutes?$")
# As the API reference says of overrideAlarmConfiguration.
PAST_ALARMS = (
    "A deployment that no alarm stops needs codedeploy:UpdateDeploymentGroup beside codedeploy:CreateDeployment: have "
    "both allowed for the identity that `aws sts get-caller-identity` shows."
)
LONGEST = 1000  # characters of a description; the record in the bucket has all of it
_PHASES = {
    "Pending": "pending",
    "InProgress": "in progress",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Skipped": "skipped",
}


class CodeDeploy:
    """A Deployer."""

    def __init__(self, guard: Guard, where: Place) -> None:
        self._guard, self._where = guard, where

    def wiring(self) -> Wiring:
        """Of the deployment group."""
        group = self._group()
        services = group.get("ecsServices") or [{}]
        pairs = (group.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList") or [{}]
        listeners = (pairs[0].get("prodTrafficRoute") or {}).get("listenerArns") or [None]
        blue_green = group.get("blueGreenDeploymentConfiguration") or {}
        ending = blue_green.get("terminateBlueInstancesOnDeploymentSuccess") or {}
        ready = blue_green.get("deploymentReadyOption") or {}
        rollback = group.get("autoRollbackConfiguration") or {}
        events = rollback.get("events", ()) if rollback.get("enabled") else ()
        return Wiring(
            service=f"{services[0].get('clusterName')}/{services[0].get('serviceName')}",
            listener=listeners[0],
            target_groups=tuple(one["name"] for one in pairs[0].get("targetGroups") or ()),
            role=group.get("serviceRoleArn"),
            bake_minutes=int(ending.get("terminationWaitTimeInMinutes", 0)),
            failure_rolls_back="DEPLOYMENT_FAILURE" in events,
            alarm_rolls_back="DEPLOYMENT_STOP_ON_ALARM" in events,
            wait_minutes=int(ready.get("waitTimeInMinutes", 0)),
            shift_minutes=_shift_minutes(str(group.get("deploymentConfigName", ""))),
            alarms=_alarms(group.get("alarmConfiguration") or {}),
        )

    def start(self, task_definition: str, appspec: str, description: str, *, past_alarms: bool = False) -> str:
        """CreateDeployment, with the appspec in it."""
        content = {"content": appspec, "sha256": hashlib.sha256(appspec.encode()).hexdigest()}
        alarms = {"overrideAlarmConfiguration": {"enabled": False}} if past_alarms else {}
        try:
            answer = self._guard.call(
                "codedeploy",
                "create_deployment",
                **self._group_names,
                revision={"revisionType": "AppSpecContent", "appSpecContent": content},
                description=description[:LONGEST],
                **alarms,
            )
        except AwsError as error:
            if past_alarms and error.why == "denied":
                raise AwsError(error.why, error.reason, error.sentence, PAST_ALARMS) from None
            if error.reason != "DeploymentLimitExceededException":  # no quota that anybody could raise
                raise
            raise AwsError(
                "state",
                error.reason,
                "CodeDeploy begins nothing: another deployment of this service has begun meanwhile.",
                f"See it: ./inv status --environment {self._where.environment.name}; then run again: what is migrated "
                "is not migrated again.",
            ) from None
        return str(answer["deploymentId"])

    def progress(self, deployment: str) -> Progress:
        """GetDeployment, and the lifecycle events and task sets of its one target."""
        info = self._guard.call("codedeploy", "get_deployment", deploymentId=deployment)["deploymentInfo"]
        target = self._target(deployment)
        error, back = info.get("errorInformation") or {}, info.get("rollbackInfo") or {}
        code, message = error.get("code", ""), str(error.get("message", ""))
        return Progress(
            id=deployment,
            state=_state(info),
            phases=tuple(_phase(event) for event in target.get("lifecycleEvents") or ()),
            sides=tuple(_side(one) for one in target.get("taskSetsInfo") or ()),
            reason=f"{message.rstrip('.')} ({code})." if code else "",
            rollback=back.get("rollbackDeploymentId") or None,
            takes_back=info.get("creator") == TAKES_BACK,
            description=str(info.get("description", "")),
            task_definition=_task_definition(info.get("revision") or {}),
        )

    def under_way(self) -> str | None:
        """By ListDeployments."""
        return next(iter(self._listed(UNDER_WAY)), None)

    def newest(self) -> str | None:
        """By the times of BATCH deployments: ListDeployments gives the newest first, and promises no order."""
        found = self._batch(self._listed(None))
        return str(found[0]["deploymentId"]) if found else None

    def history(self) -> list[Past]:
        """Of BATCH that succeeded. One whose appspec is not told is left out: nobody could go back to it."""
        return [
            Past(info["deploymentId"], definition, info["createTime"])
            for info in self._batch(self._listed(["Succeeded"]))
            if (definition := _task_definition(info.get("revision") or {}))
        ]

    def stop(self, deployment: str) -> None:
        """StopDeployment, with its own rollback. One that is over by now needs no stopping."""
        try:
            self._guard.call("codedeploy", "stop_deployment", deploymentId=deployment, autoRollbackEnabled=True)
        except AwsError as error:
            if error.reason != "DeploymentAlreadyCompletedException":
                raise

    @property
    def _group_names(self) -> dict[str, str]:
        return {
            "applicationName": self._where.application,
            "deploymentGroupName": self._where.deployment_group,
        }

    def _group(self) -> dict[str, Any]:
        try:
            answer = self._guard.call("codedeploy", "get_deployment_group", **self._group_names)
        except AwsError as error:
            if error.why != "not found":
                raise
            name = self._where.environment.name
            raise GreenroomError(
                f"CodeDeploy has no deployment group {self._where.deployment_group} in {self._where.application}.",
                f"Make it (./inv tf-apply --environment {name}), or name another: application, deployment_group in "
                f"[tool.greenroom.environments.{name}.release].",
            ) from None
        return cast(dict[str, Any], answer["deploymentGroupInfo"])

    def _listed(self, states: list[str] | None) -> list[str]:
        only = {"includeOnlyStatuses": states} if states else {}
        return self._guard.pages("codedeploy", "list_deployments", "deployments", **self._group_names, **only)

    def _batch(self, ids: list[str]) -> list[dict[str, Any]]:
        """The newest first."""
        if not ids:
            return []
        answer = self._guard.call("codedeploy", "batch_get_deployments", deploymentIds=ids[:BATCH])
        return sorted(answer["deploymentsInfo"], key=lambda info: info["createTime"], reverse=True)

    def _target(self, deployment: str) -> dict[str, Any]:
        """A deployment that has only begun has none yet."""
        try:
            listed = self._guard.call("codedeploy", "list_deployment_targets", deploymentId=deployment)
        except AwsError as error:
            if error.reason == "DeploymentNotStartedException":
                return {}
            raise
        ids = listed.get("targetIds") or []
        if not ids:
            return {}
        answer = self._guard.call("codedeploy", "batch_get_deployment_targets", deploymentId=deployment, targetIds=ids)
        found = answer.get("deploymentTargets") or [{}]
        return cast(dict[str, Any], found[0].get("ecsTarget") or {})


def _alarms(configuration: dict[str, Any]) -> tuple[str, ...]:
    listed = configuration.get("alarms") or () if configuration.get("enabled") else ()
    return tuple(str(one["name"]) for one in listed)


def _shift_minutes(configuration: str) -> int:
    """Of CodeDeploy's own configurations, by their names; 0 for all at once, and for one of the team's own."""
    if found := _CANARY.search(configuration):
        return int(found[1])
    if found := _LINEAR.search(configuration):
        return (100 // int(found[1]) - 1) * int(found[2])
    return 0


def _state(info: dict[str, Any]) -> State:
    """Once the old side only waits for its end, CodeDeploy says InProgress still: that is the bake."""
    state = STATES.get(str(info.get("status")), "in progress")
    return "baking" if state == "in progress" and info.get("instanceTerminationWaitTimeStarted") else state


def _phase(event: dict[str, Any]) -> Phase:
    started, ended = event.get("startTime"), event.get("endTime")
    told = event.get("diagnostics") or {}
    words = str(told.get("message") or "") if told.get("errorCode") not in (None, "Success") else ""
    return Phase(
        name=str(event.get("lifecycleEventName", "")),
        status=cast(Any, _PHASES.get(str(event.get("status")), "pending")),
        seconds=(ended - started).total_seconds() if started and ended else None,
        message=words,
    )


def _side(found: dict[str, Any]) -> Side:
    return Side(
        label=str(found.get("taskSetLabel", "")).lower(),
        traffic=float(found.get("trafficWeight", 0.0)),
        desired=int(found.get("desiredCount", 0)),
        running=int(found.get("runningCount", 0)),
        pending=int(found.get("pendingCount", 0)),
        target_group=(found.get("targetGroup") or {}).get("name"),
    )


def _task_definition(revision: dict[str, Any]) -> str | None:
    """Of the appspec, which is YAML, or JSON as CodePipeline writes it."""
    content = (revision.get("appSpecContent") or revision.get("string") or {}).get("content")
    try:
        resources = yaml.safe_load(content or "")["Resources"]
        found = next(
            one["TargetService"]["Properties"]["TaskDefinition"] for one in resources if "TargetService" in one
        )
    except (yaml.YAMLError, json.JSONDecodeError, KeyError, TypeError, StopIteration):
        return None
    return str(found)
