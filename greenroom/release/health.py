"""What the load balancer says of each side's targets, and why tasks of a release have stopped."""

from __future__ import annotations

from collections import Counter
from typing import Any

from greenroom.aws import AwsError
from greenroom.guard import Guard
from greenroom.release.deployer import Progress, Side
from greenroom.release.one_off import stopped_because
from greenroom.release.place import Place

STOPPED_SHOWN = 3


def of_sides(guard: Guard, progress: Progress) -> list[str]:
    """A line a side: `green 2/2 running, 1 healthy, 1 unhealthy (Target.Timeout: Request timed out)`."""
    return [
        f"{side.label} {_tasks(side)}" + (f", {of_targets(guard, side.target_group)}" if side.target_group else "")
        for side in progress.sides
    ]


def of_group(guard: Guard, target_group: str) -> str:
    """Of a target group by its name or ARN: how many targets are in which state, and why."""
    arn = target_group if target_group.startswith("arn:") else _arn(guard, target_group)
    targets = guard.call("elbv2", "describe_target_health", TargetGroupArn=arn)["TargetHealthDescriptions"]
    counted = Counter(_told(target.get("TargetHealth") or {}) for target in targets)
    return ", ".join(f"{count} {what}" for what, count in sorted(counted.items())) or "no targets"


def stopped(guard: Guard, where: Place, task_definition: str) -> list[str]:
    """A line for each reason why the last tasks of a release stopped; ECS remembers them for an hour.

    Where it cannot be asked, that is the line: what this explains is told all the same.
    """
    try:
        return [f"a task stopped: {reason}" for reason in _stopped(guard, where, task_definition)]
    except AwsError as error:
        return [f"whether tasks stopped is not told ({error.reason})"]


def of_targets(guard: Guard, target_group: str) -> str:
    """The same as `of_group`, also where the load balancer cannot be asked: nothing hangs on it."""
    try:
        return of_group(guard, target_group)
    except AwsError as error:
        return f"targets not told ({error.reason})"


def _stopped(guard: Guard, where: Place, task_definition: str) -> list[str]:
    family = task_definition.rpartition("/")[2].rpartition(":")[0]
    arns = guard.call("ecs", "list_tasks", cluster=where.cluster, family=family, desiredStatus="STOPPED")["taskArns"]
    if not arns:
        return []
    tasks = guard.call("ecs", "describe_tasks", cluster=where.cluster, tasks=arns[:100])["tasks"]
    reasons = [stopped_because(one) for one in tasks if one.get("taskDefinitionArn") == task_definition]
    return list(dict.fromkeys(reasons))[:STOPPED_SHOWN]


def _tasks(side: Side) -> str:
    return f"{side.running}/{side.desired} running" + (f", {side.pending} starting" if side.pending else "")


def _arn(guard: Guard, name: str) -> str:
    return str(guard.call("elbv2", "describe_target_groups", Names=[name])["TargetGroups"][0]["TargetGroupArn"])


def _told(health: dict[str, Any]) -> str:
    reason, words = health.get("Reason", ""), str(health.get("Description", "")).rstrip(".")
    why = f"{reason}: {words}" if reason and words else reason
    return f"{health.get('State', 'unknown')}{f' ({why})' if why else ''}"
