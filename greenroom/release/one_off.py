"""One ECS task that runs to its end: started, its log shown as it comes, and why it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenroom.aws import AwsError
from greenroom.console import printable
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.interrupts import shielded
from greenroom.release.patience import Left, left_alone, patient
from greenroom.release.place import Place, Service

POLL_SECONDS = 3.0
LAG_SECONDS = 15.0  # that the last lines of a log may take to CloudWatch
UNKNOWN_SECONDS = 60.0  # that DescribeTasks may not know yet what RunTask has begun
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
    """What is run, and where. `last` knows the last line that it writes."""

    task_definition: str
    container: str
    command: list[str]
    service: Service
    exec_enabled: bool = False
    last: Callable[[str], bool] = lambda _line: False


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

    def remedy(self, where: Place) -> str:
        """What helps against the usual reasons; else where its log is."""
        found = next((text for word, text in _REMEDIES.items() if word in self.reason), "")
        return found or f"Its log: {_see(where, self.id)}"


class StillRunning(GreenroomError):
    """It was waited for long enough; it goes on."""


def run(guard: Guard, where: Place, wanted: Wanted, say: Callable[[str], None], *, minutes: float) -> Ended:
    """Start it and wait for its end; each line of its log goes to `say` as it comes.

    Raises StillRunning after `minutes`: the task goes on, since a migration that is cut off is worse than a slow one.
    Whoever is interrupted, or loses AWS, is told that it goes on too.
    """
    with left_alone() as left:
        task = start(guard, where, wanted, left)
        say(f"one-off task {_id(task)}")
        tail = Tail(guard, wanted, task, say)
        stopped = _stopped(guard, where, task, tail, minutes)
    codes = [one.get("exitCode") for one in stopped.get("containers") or () if one.get("name") == wanted.container]
    code = next(iter(codes), None)
    if code is not None:  # else it never ran, and wrote nothing
        tail.finish(wanted.last)
    return Ended(_id(task), code, stopped_because(stopped), tail.lines)


def start(guard: Guard, where: Place, wanted: Wanted, left: Left | None = None) -> str:
    """Its ARN. Raises GreenroomError where ECS cannot place it; AwsError.

    A signal meanwhile waits until it is known what was begun. AWS itself knows a call that is repeated: botocore sends
    a clientToken.
    """
    with shielded():
        answer = guard.call(
            "ecs",
            "run_task",
            cluster=where.cluster,
            taskDefinition=wanted.task_definition,
            launchType="FARGATE",
            networkConfiguration=wanted.service.network,
            overrides=overrides(wanted.container, wanted.command),
            startedBy=STARTED_BY,
            enableExecuteCommand=wanted.exec_enabled,
            count=1,
        )
        if not answer.get("tasks"):
            why = ", ".join(str(one.get("reason", "")) for one in answer.get("failures") or ()) or "no reason was given"
            raise GreenroomError(
                f"ECS does not start the one-off task: {why}.", "See the service's network and quotas."
            )
        task = str(answer["tasks"][0]["taskArn"])
        if left:
            left.behind(f"One-off task {_id(task)}", f"See it: {_see(where, task)} --follow")
    return task


def overrides(container: str, command: list[str]) -> dict[str, Any]:
    """Of the task definition: what one container runs."""
    return {"containerOverrides": [{"name": container, "command": command}]}


def found(guard: Guard, where: Place, task: str) -> dict[str, Any] | None:
    """The task as ECS has it; None where it knows none: not yet, or no more. Raises AwsError."""
    tasks: list[dict[str, Any]] = guard.call("ecs", "describe_tasks", cluster=where.cluster, tasks=[task])["tasks"]
    return tasks[0] if tasks else None


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


class Tail:
    """The log of one task, read on as it grows. What CloudWatch refuses costs the log, and not the watching."""

    def __init__(self, guard: Guard, wanted: Wanted, task: str, say: Callable[[str], None]) -> None:
        self.lines: list[str] = []
        self._guard, self._wanted, self._task, self._say = guard, wanted, task, say
        self._log: Log | None = None
        self._sought = False

    def read(self) -> None:
        """Say what came since it was read last."""
        try:
            self._find()
            for line in read(self._guard, self._log) if self._log else ():
                self.lines.append(line)
                self._say(line)
        except AwsError as error:
            if not error.transient:
                self._log, self._sought = None, True
                self._say(f"its log is not shown: {error.sentence}")

    def finish(self, last: Callable[[str], bool]) -> None:
        """Until the last line came, or for LAG_SECONDS; a task that wrote nothing is given as long."""
        deadline = time.monotonic() + LAG_SECONDS
        self.read()
        while self._log and not any(map(last, self.lines)) and time.monotonic() < deadline:
            time.sleep(min(POLL_SECONDS, 1.0))
            self.read()

    def _find(self) -> None:
        if not self._sought:
            self._log = log_of(self._guard, self._wanted.task_definition, self._wanted.container, self._task)
            self._sought = True


def log_of(guard: Guard, task_definition: str, container: str, task: str) -> Log | None:
    """Where its log goes; None where that is not CloudWatch."""
    described = guard.call("ecs", "describe_task_definition", taskDefinition=task_definition)["taskDefinition"]
    for one in described["containerDefinitions"]:
        options = (one.get("logConfiguration") or {}).get("options") or {}
        if one["name"] == container and "awslogs-group" in options:
            prefix = options.get("awslogs-stream-prefix", "")
            return Log(options["awslogs-group"], f"{prefix}/{container}/{_id(task)}")
    return None


def read(guard: Guard, log: Log) -> list[str]:
    """What came since it was read last, all pages of it; nothing while the stream is not there yet.

    GetLogEvents gives the token again that it was given when there is no more.
    """
    found: list[str] = []
    while True:
        token = {"nextToken": log.token} if log.token else {}
        try:
            answer = guard.call(
                "logs", "get_log_events", logGroupName=log.group, logStreamName=log.stream, startFromHead=True, **token
            )
        except AwsError as error:
            if error.why == "not found" or (found and error.transient):
                return found
            raise
        found += [printable(str(event["message"]).rstrip()) for event in answer["events"]]
        before, log.token = log.token, answer.get("nextForwardToken")
        if log.token in (None, before):
            return found


def _stopped(guard: Guard, where: Place, task: str, tail: Tail, minutes: float) -> dict[str, Any]:
    """The task at its end."""
    began, known, status = time.monotonic(), False, "not known yet"
    while True:
        answered = patient(lambda: [found(guard, where, task)])
        said = answered[0] if answered else None
        if said:
            known, status = True, str(said.get("lastStatus"))
        elif answered and (known or time.monotonic() - began > UNKNOWN_SECONDS):
            raise GreenroomError(
                f"ECS knows no task {_id(task)} any more.", "An hour after its end it forgets it. " + _see(where, task)
            )
        tail.read()
        if said and status == "STOPPED":
            return said
        if time.monotonic() - began > minutes * 60:
            raise StillRunning(
                f"the one-off task {_id(task)} is {status} after {minutes:g} min; "
                f"its last words: {tail.lines[-1] if tail.lines else 'none'}",
                f"It goes on: {_see(where, task)}",
            )
        time.sleep(POLL_SECONDS)


def _see(where: Place, task: str) -> str:
    return f"./inv ecs-logs --environment {where.environment.name} --since 1h --task {_id(task)}"


def _id(task: str) -> str:
    return task.rpartition("/")[2]
