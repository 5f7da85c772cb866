"""`ecs-shell`: a shell in a throw-away task of the release that runs; the tasks that serve are left alone.

ECS exec needs a root file system that can be written to, and what serves has none: the throw-away task's definition is
the same but for that. It ends when the shell does, at the latest by itself.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.interrupts import shielded
from greenroom.release import one_off
from greenroom.release.files import short
from greenroom.release.one_off import Wanted
from greenroom.release.place import Place, Service

LONGEST_SECONDS = 3600
START_SECONDS = 300.0
POLL_SECONDS = 3.0
# What RegisterTaskDefinition takes of what DescribeTaskDefinition gives.
TAKEN = (
    *("taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints", "requiresCompatibilities"),
    *("cpu", "memory", "runtimePlatform", "ephemeralStorage", "proxyConfiguration"),
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
    container, definition = _container(service), _register(guard, service)
    wanted = Wanted(definition, container, ["sleep", str(LONGEST_SECONDS)], service, exec_enabled=True)
    task = one_off.start(guard, where, wanted)
    try:
        _wait(guard, where, task)
        return shell.foreground(argv(where, task, container, command))
    finally:
        with shielded():
            guard.call("ecs", "stop_task", cluster=where.cluster, task=task, reason="greenroom: the shell has ended")
            guard.call("ecs", "deregister_task_definition", taskDefinition=definition)


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
        raise GreenroomError("the service runs nothing to look into.", "Release something: ./inv deploy")
    return service.containers[0][0]


def _register(guard: Guard, service: Service) -> str:
    found = guard.call("ecs", "describe_task_definition", taskDefinition=service.running_now)["taskDefinition"]
    wanted: dict[str, Any] = {key: found[key] for key in TAKEN if found.get(key)}
    containers = [{**one, "readonlyRootFilesystem": False} for one in found["containerDefinitions"]]
    answer = guard.call(
        "ecs", "register_task_definition", family=f"{found['family']}-shell", containerDefinitions=containers, **wanted
    )
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def _wait(guard: Guard, where: Place, task: str) -> None:
    """Until the task runs, and exec's agent in it."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        said = one_off.describe(guard, where, task)
        if said["lastStatus"] == "STOPPED":
            raise GreenroomError(f"the task stopped at once: {one_off.stopped_because(said)}.", "See its reason.")
        agents = [agent for one in said.get("containers") or () for agent in one.get("managedAgents") or ()]
        if said["lastStatus"] == "RUNNING" and all(agent.get("lastStatus") == "RUNNING" for agent in agents):
            return
        if time.monotonic() > deadline:
            raise GreenroomError(
                f"the task is {said['lastStatus']} after {START_SECONDS:g} s, and exec's agent does not run.",
                "The task role needs ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel and "
                "OpenDataChannel; the subnets need a way to ssmmessages.",
            )
        time.sleep(POLL_SECONDS)
