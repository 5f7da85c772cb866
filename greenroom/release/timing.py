"""How long a release takes, by what is set: arithmetic that is shown before anybody agrees.

AWS publishes how it counts health checks, deregistration and bakes. For the start of a task and for its own steps it
publishes no number: ours are assumptions, on the safe side, and are marked so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from greenroom.aws import AwsError
from greenroom.guard import Guard
from greenroom.release.deployer import Wiring
from greenroom.release.files import Files

TASK_STARTS = 40  # network interface, image, container, gunicorn: the image's size decides
HOOK_ASKS = 10  # a dozen requests, and the start of a function in a VPC
STEPS = 5 * 3  # what moves the traffic goes from one of its steps to the next
STOP_SECONDS = 30  # of ECS, where the task definition does not say (API reference, stopTimeout)


@dataclass(frozen=True)
class Set:
    """What is set, in seconds where no unit is named. `stop` is how long ECS waits before it kills a container."""

    interval: int
    checks: int
    deregistration: int
    stop: int
    hook: bool
    waits_minutes: int
    shift_minutes: int
    bake_minutes: int


@dataclass(frozen=True)
class Step:
    """A part of a release. `why` is where its number comes from."""

    name: str
    seconds: int
    why: str


def read(guard: Guard, wiring: Wiring, files: Files) -> Set:
    """What AWS and the release's files have. Raises AwsError; GreenroomError of the wiring."""
    groups = guard.call("elbv2", "describe_target_groups", Names=list(wiring.target_groups))["TargetGroups"]
    slowest = max(groups, key=lambda group: _seconds_to_healthy(group))
    containers = files.registration("image")["containerDefinitions"]
    return Set(
        interval=int(slowest["HealthCheckIntervalSeconds"]),
        checks=int(slowest["HealthyThresholdCount"]),
        deregistration=max(_deregistration(guard, group["TargetGroupArn"]) for group in groups),
        stop=max(int(container.get("stopTimeout", STOP_SECONDS)) for container in containers),
        hook=files.has_hook,
        waits_minutes=wiring.wait_minutes,
        shift_minutes=wiring.shift_minutes,
        bake_minutes=wiring.bake_minutes,
    )


def until_traffic(found: Set) -> list[Step]:
    """From the start of the deployment to the first traffic on green."""
    steps = [
        Step("a task starts", TASK_STARTS, "assumed"),
        Step("green is healthy", found.interval * found.checks, f"{found.checks} checks, {found.interval} s apart"),
        Step("the hook asks green", HOOK_ASKS, "assumed"),
        Step("from step to step", STEPS, "assumed"),
        Step("somebody says go on", found.waits_minutes * 60, "at most"),
    ]
    return [step for step in steps if step.seconds and (found.hook or step.name != "the hook asks green")]


def afterwards(found: Set) -> list[Step]:
    """From the first traffic on green to blue's end."""
    steps = [
        Step("the rest of the traffic", found.shift_minutes * 60, "as the deployment's configuration says"),
        Step("bake", found.bake_minutes * 60, "blue stays"),
        Step("blue is let go", found.deregistration, f"then at most {found.stop} s for what it still answers"),
    ]
    return [step for step in steps if step.seconds]


def seconds(steps: Iterable[Step]) -> int:
    """Of all of them, one after the other."""
    return sum(step.seconds for step in steps)


def shown(guard: Guard, wiring: Wiring, files: Files) -> list[str]:
    """A line for each step, for people; one alone where AWS does not tell."""
    try:
        found = read(guard, wiring, files)
    except AwsError as error:
        return [f"how long it takes is not known: {error.sentence}"]
    before, after = until_traffic(found), afterwards(found)
    total = Step("until green has traffic", seconds(before), "and then")
    return ["how long it takes, by what is set:", *map(_told, [*before, total, *after])]


def _told(step: Step) -> str:
    return f"{step.seconds:>5} s  {step.name} ({step.why})"


def _seconds_to_healthy(group: dict[str, object]) -> int:
    return int(str(group["HealthCheckIntervalSeconds"])) * int(str(group["HealthyThresholdCount"]))


def _deregistration(guard: Guard, group: str) -> int:
    found = guard.call("elbv2", "describe_target_group_attributes", TargetGroupArn=group)["Attributes"]
    told = {one["Key"]: one["Value"] for one in found}
    return int(told.get("deregistration_delay.timeout_seconds", 300))
