"""`ecs-logs`: what the service's containers write, from CloudWatch."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from greenroom.aws import AwsError
from greenroom.console import printable
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.release.patience import patient
from greenroom.release.place import Place, Service

POLL_SECONDS = 3.0
LATE_MILLISECONDS = 60_000  # by which one container's lines may come after another's that were written later
_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(age: str) -> int:
    """Of `10m`, `2h`, `1d`. Raises GreenroomError."""
    found = _AGE.fullmatch(age)
    if not found:
        raise GreenroomError(f"--since {age} is no age.", "For example: --since 10m (s, m, h or d).")
    return int(found[1]) * _SECONDS[found[2]]


def lines(guard: Guard, where: Place, service: Service, *, since: str, task: str | None, follow: bool) -> Iterator[str]:
    """From so long ago until now; with `follow` for ever. Raises GreenroomError where there is no log."""
    group, start = _group(guard, where, service), max(0, int((time.time() - seconds(since)) * 1000))
    seen: dict[str, int] = {}
    task = task.rpartition("/")[2] if task else None  # of an ARN, too
    found = _events(guard, where, group, start)
    while True:
        for event in found:
            if event["eventId"] in seen or (task and not event["logStreamName"].endswith(f"/{task}")):
                continue
            seen[event["eventId"]] = int(event["timestamp"])
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            name = event["logStreamName"].rpartition("/")[2][:8]
            yield f"{at:%H:%M:%S} {name} {printable(str(event['message']).rstrip())}"
        if not follow:
            return
        newest = max(seen.values(), default=0)
        seen = {name: at for name, at in seen.items() if at >= newest - LATE_MILLISECONDS}
        time.sleep(POLL_SECONDS)
        found = patient(partial(_events, guard, where, group, max(start, newest - LATE_MILLISECONDS))) or []


def _events(guard: Guard, where: Place, group: str, start: int) -> list[dict[str, Any]]:
    try:
        return guard.pages("logs", "filter_log_events", "events", logGroupName=group, startTime=start)
    except AwsError as error:
        if error.why != "not found":
            raise
        raise GreenroomError(
            f"there is no log group {group}.", f"./inv tf-apply --environment {where.environment.name} makes it."
        ) from None


def _group(guard: Guard, where: Place, service: Service) -> str:
    """As the task definition that runs names it: of the container that requests go to, before others."""
    if service.running_now is None:
        raise GreenroomError(
            "the service runs nothing, so there is no log.", f"Release something: {where.inv('deploy')}"
        )
    described = guard.call("ecs", "describe_task_definition", taskDefinition=service.running_now)["taskDefinition"]
    served = {name for name, _ in service.containers}
    for container in sorted(described["containerDefinitions"], key=lambda one: one.get("name") not in served):
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if "awslogs-group" in options:
            return str(options["awslogs-group"])
    raise GreenroomError("what runs writes no log to CloudWatch.", "logConfiguration in the task definition: awslogs.")
