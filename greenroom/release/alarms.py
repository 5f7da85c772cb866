"""The alarms that stop a deployment: while one of them is in ALARM, whatever begins is stopped, after the migration."""

from __future__ import annotations

from greenroom.guard import Guard

TYPES = ["MetricAlarm", "CompositeAlarm"]  # without these words CloudWatch leaves composite ones out


def look(guard: Guard, names: tuple[str, ...]) -> tuple[list[str], str]:
    """A clause for each that is in ALARM, with its reason; and what could be seen. Raises AwsError."""
    if not names:
        return [], "none stops a deployment"
    answer = guard.call("cloudwatch", "describe_alarms", AlarmNames=list(names), AlarmTypes=TYPES)
    found = {one["AlarmName"]: one for kind in ("MetricAlarms", "CompositeAlarms") for one in answer.get(kind) or ()}
    active = [
        f"alarm {name} is in ALARM: {_reason(found[name].get('StateReason'))}"
        for name in names
        if name in found and found[name].get("StateValue") == "ALARM"
    ]
    missing = [name for name in names if name not in found]
    more = f"; CloudWatch does not tell of {', '.join(missing)}" if missing else ""
    return active, f"{len(names) - len(missing)} of the deployment group, none in ALARM{more}"


def _reason(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else "no reason was given"
