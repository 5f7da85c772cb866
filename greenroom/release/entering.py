"""`ecs-shell`: a shell in a throw-away task of the release that runs; the tasks that serve are left alone.

ECS exec needs a root file system that can be written to, and what serves has none: the throw-away task's definition is
the same but for that. It ends when the shell does, at the latest by itself.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from greenroom import shell
from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.interrupts import shielded
from greenroom.release import one_off
from greenroom.release.files import short
from greenroom.release.one_off import Wanted
from greenroom.release.patience import patient
from greenroom.release.place import Place, Service

LONGEST_SECONDS = 3600
START_SECONDS = 300.0
POLL_SECONDS = 3.0
ENDED = "greenroom: the shell has ended"
# What RegisterTaskDefinition takes of what DescribeTaskDefinition gives.
TAKEN = (
    *("taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints", "requiresCompatibilities"),
    *("cpu", "memory", "runtimePlatform", "ephemeralStorage", "proxyConfiguration", "pidMode"),
)
PROGRAMS = {
    "aws": "Install the AWS CLI, version 2.",
    "session-manager-plugin": "Install the AWS CLI's Session Manager plugin.",
}


def refuse_missing() -> None:
    """Raise GreenroomError for a program that this machine lacks."""
    for program, remedy in PROGRAMS.items():
        if shutil.which(program) is None:
            raise GreenroomError(f"{program} is not on this machine, and ECS exec goes through it.", remedy)


def preview(service: Service, command: str) -> str:
    """What will be done. Raises GreenroomError where nothing runs."""
    container = _container(service)
    return (
        f"  register {short(service.running_now)} anew with a root file system that can be written to\n"
        f"  start one task of it, and run {command} in its container {container}\n"
        f"  end it afterwards; by itself it ends after {LONGEST_SECONDS // 60} min"
    )


def enter(guard: Guard, where: Place, service: Service, command: str) -> int:
    """Start the task, hand the terminal to it, end it; the exit code of the shell. Raises GreenroomError, AwsError."""
    container, made = _container(service), Made()
    try:
        with shielded():  # a signal waits until it is known what there is to take away
            made.definition = _register(guard, service)
        wanted = Wanted(made.definition, container, ["sleep", str(LONGEST_SECONDS)], service, exec_enabled=True)
        with shielded():
            made.task = one_off.start(guard, where, wanted)
        _wait(guard, where, made.task, container)
        return shell.foreground(argv(where, made.task, container, command))
    finally:
        with shielded():
            _take_away(guard, where, made)


@dataclass
class Made:
    """What there is to take away, as far as it came."""

    definition: str | None = None
    task: str | None = None


def _take_away(guard: Guard, where: Place, made: Made) -> None:
    """Each for itself: where one stays, that is said, with the command that removes it, and the other goes."""
    region, cluster = f"--region {where.environment.region}", where.cluster
    if made.task:
        _or_say(
            lambda: guard.call("ecs", "stop_task", cluster=cluster, task=made.task, reason=ENDED),
            f"the throw-away task runs on, at the latest until {LONGEST_SECONDS // 60} min are over",
            f"aws ecs stop-task {region} --cluster {cluster} --task {made.task.rpartition('/')[2]}",
        )
    if made.definition:
        _or_say(
            lambda: guard.call("ecs", "deregister_task_definition", taskDefinition=made.definition),
            f"the task definition {short(made.definition)} stays registered",
            f"aws ecs deregister-task-definition {region} --task-definition {short(made.definition)}",
        )


def _or_say(remove: Callable[[], object], what: str, how: str) -> None:
    try:
        remove()
    except AwsError as error:
        print(f"{what}: {error.sentence}\n  Remove it: {how}", file=sys.stderr)


def argv(where: Place, task: str, container: str, command: str) -> list[str]:
    """The AWS CLI's words."""
    environment = where.environment
    return [
        *("aws", "ecs", "execute-command", "--region", environment.region),
        *(("--profile", environment.profile) if environment.profile else ()),
        *("--cluster", where.cluster, "--task", task, "--container", container),
        *("--interactive", "--command", command),
    ]


def _container(service: Service) -> str:
    if service.running_now is None or not service.containers:
        raise GreenroomError(
            "the service runs nothing to look into.", "Release something: ./inv deploy --environment NAME"
        )
    return service.containers[0][0]


def _register(guard: Guard, service: Service) -> str:
    found = guard.call("ecs", "describe_task_definition", taskDefinition=service.running_now)["taskDefinition"]
    wanted: dict[str, Any] = {key: found[key] for key in TAKEN if found.get(key)}
    containers = [{**one, "readonlyRootFilesystem": False} for one in found["containerDefinitions"]]
    answer = guard.call(
        "ecs", "register_task_definition", family=f"{found['family']}-shell", containerDefinitions=containers, **wanted
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _wait(guard: Guard, where: Place, task: str, container: str) -> None:
    """Until the task runs, and exec's agent in that container."""
    deadline, status = time.monotonic() + START_SECONDS, "not known yet"
    while True:
        said = patient(lambda: one_off.found(guard, where, task)) or {}
        status, agent = str(said.get("lastStatus", status)), _agent(said, container)
        if status == "STOPPED":
            raise GreenroomError(f"the task stopped at once: {one_off.stopped_because(said)}.", "See its reason.")
        if status == "RUNNING" and agent.get("lastStatus") == "RUNNING":
            return
        if time.monotonic() > deadline or agent.get("lastStatus") == "STOPPED":
            why = f" ({agent['reason']})" if agent.get("reason") else ""
            raise GreenroomError(
                f"the task is {status}, and after {START_SECONDS:g} s exec's agent does not run{why}.",
                "The task role needs ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel and "
                "OpenDataChannel; the subnets need a way to ssmmessages.",
            )
        time.sleep(POLL_SECONDS)


def _agent(task: dict[str, Any], container: str) -> dict[str, Any]:
    """Of a container, as ECS tells it once it starts one; empty before."""
    agents = [
        agent
        for one in task.get("containers") or ()
        if one.get("name") == container
        for agent in one.get("managedAgents") or ()
        if agent.get("name") == "ExecuteCommandAgent"
    ]
    return agents[0] if agents else {}
