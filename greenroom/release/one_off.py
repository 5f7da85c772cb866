"""One ECS task that runs to its end: started, its log shown as it comes, and why it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.release.place import Place, Service

POLL_SECONDS = 3.0
STARTED_BY = "greenroom"
# What AWS says of the usual reasons, and what helps. By its own words: ECS gives no codes for these.
_REMEDIES = {
    "CannotPullContainerError": "The subnets need a way to ECR (NAT or endpoints), the execution role leave to pull.",
    "ResourceInitializationError": "The subnets need a way to CloudWatch Logs and SSM; see the execution role, too.",
    "OutOfMemory": "Give the task more memory: memory in the task definition.",
    "TaskFailedToStart": "See the reason; then run again.",
}


@dataclass(frozen=True)
class Wanted:
    """What is run, and where."""

    task_definition: str
    container: str
    command: list[str]
    service: Service
    exec_enabled: bool = False


@dataclass
class Log:
    """The stream that one container of one task writes to; `token` is how far it was read."""

    group: str
    stream: str
    token: str | None = None


@dataclass(frozen=True)
class Ended:
    """A task that has stopped. `exit_code` is the container's, None where it never ran."""

    id: str
    exit_code: int | None
    reason: str
    log: list[str] = field(default_factory=list)

    @property
    def remedy(self) -> str:
        """What helps against the usual reasons."""
        found = next((text for word, text in _REMEDIES.items() if word in self.reason), "")
        return found or "Its log: ./inv ecs-logs --task " + self.id


class StillRunning(GreenroomError):
    """It was waited for long enough; it goes on."""


def start(guard: Guard, where: Place, wanted: Wanted) -> str:
    """Its ARN. Raises GreenroomError where ECS cannot place it; AwsError."""
    override = {"name": wanted.container, "command": wanted.command}
    answer = guard.call(
        "ecs",
        "run_task",
        cluster=where.cluster,
        taskDefinition=wanted.task_definition,
        launchType="FARGATE",
        networkConfiguration=wanted.service.network,
        overrides={"containerOverrides": [override]},
        startedBy=STARTED_BY,
        enableExecuteCommand=wanted.exec_enabled,
        count=1,
    )
    if not answer.get("tasks"):
        why = ", ".join(str(one.get("reason", "")) for one in answer.get("failures") or ()) or "no reason was given"
        raise GreenroomError(f"ECS does not start the one-off task: {why}.", "See the service's network and quotas.")
    return str(answer["tasks"][0]["taskArn"])


def log_of(guard: Guard, task_definition: str, container: str, task: str) -> Log | None:
    """Where its log goes; None where that is not CloudWatch."""
    described = guard.call("ecs", "describe_task_definition", taskDefinition=task_definition)["taskDefinition"]
    for one in described["containerDefinitions"]:
        options = (one.get("logConfiguration") or {}).get("options") or {}
        if one["name"] == container and "awslogs-group" in options:
            prefix = options.get("awslogs-stream-prefix", "")
            return Log(options["awslogs-group"], f"{prefix}/{container}/{task.rpartition('/')[2]}")
    return None


def follow(
    guard: Guard, where: Place, wanted: Wanted, task: str, say: Callable[[str], None], *, minutes: float
) -> Ended:
    """Wait for its end; each line of its log goes to `say` as it comes.

    Raises StillRunning after `minutes`: the task goes on, since a migration that is cut off is worse than a slow one.
    """
    log, lines = log_of(guard, wanted.task_definition, wanted.container, task), list[str]()
    deadline = time.monotonic() + minutes * 60
    while True:
        said = describe(guard, where, task)
        for line in read(guard, log) if log else ():
            lines.append(line)
            say(line)
        if said.get("lastStatus") == "STOPPED":
            return _ended(said, wanted.container, [*lines, *_rest(guard, log, say)])
        if time.monotonic() > deadline:
            raise StillRunning(
                f"the one-off task {task.rpartition('/')[2]} is {said.get('lastStatus')} after {minutes:g} min; "
                f"its last words: {lines[-1] if lines else 'none'}",
                f"It goes on: ./inv ecs-logs --environment {where.environment.name} --task {task.rpartition('/')[2]}",
            )
        time.sleep(POLL_SECONDS)


def describe(guard: Guard, where: Place, task: str) -> dict[str, Any]:
    """The task as ECS has it. Raises GreenroomError where it is gone."""
    found: list[dict[str, Any]] = guard.call("ecs", "describe_tasks", cluster=where.cluster, tasks=[task])["tasks"]
    if not found:
        raise GreenroomError(
            f"ECS knows no task {task.rpartition('/')[2]} any more.", "An hour after its end it forgets it."
        )
    return found[0]


def read(guard: Guard, log: Log) -> list[str]:
    """What came since it was read last; nothing while the stream is not there yet."""
    try:
        token = {"nextToken": log.token} if log.token else {}
        answer = guard.call(
            "logs", "get_log_events", logGroupName=log.group, logStreamName=log.stream, startFromHead=True, **token
        )
    except AwsError as error:
        if error.why == "not found":
            return []
        raise
    log.token = answer.get("nextForwardToken")
    return [str(event["message"]).rstrip() for event in answer["events"]]


def stopped_because(task: dict[str, Any]) -> str:
    """The task's own reason, and those of its containers that failed."""
    parts = [str(task.get("stoppedReason") or "").rstrip(".")]
    for container in task.get("containers") or ():
        if container.get("exitCode") or container.get("reason"):
            code = f" ended with {container['exitCode']}" if container.get("exitCode") is not None else ""
            parts.append(
                f"{container['name']}{code}: {container['reason']}"
                if container.get("reason")
                else f"{container['name']}{code}"
            )
    return "; ".join(part for part in parts if part) or "no reason was given"


def _rest(guard: Guard, log: Log | None, say: Callable[[str], None]) -> list[str]:
    """Lines that came after the last look."""
    found = read(guard, log) if log else []
    for line in found:
        say(line)
    return found


def _ended(task: dict[str, Any], container: str, lines: list[str]) -> Ended:
    codes = [one.get("exitCode") for one in task.get("containers") or () if one.get("name") == container]
    return Ended(str(task["taskArn"]).rpartition("/")[2], next(iter(codes), None), stopped_because(task), lines)
