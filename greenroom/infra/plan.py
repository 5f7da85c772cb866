"""What a plan would do, by name: created, changed, REPLACED, DESTROYED; no value of anything."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from greenroom.errors import GreenroomError

Action = Literal["created", "changed", "REPLACED", "DESTROYED", "forgotten"]
# the harmless first
SIGNS: dict[Action, str] = {"created": "+", "changed": "~", "forgotten": ".", "REPLACED": "±", "DESTROYED": "-"}
# What holds data, or is known to the world by its name: its loss is no detail of a plan.
PRECIOUS = {
    "aws_db_instance": "database",
    "aws_rds_cluster": "database",
    "aws_lb": "load balancer",
    "aws_ecr_repository": "repository",
    "aws_s3_bucket": "bucket",
}
MOST_NAMES = 6
_INDEX = re.compile(r"\[[^\]]*\]")
_ACTIONS: dict[tuple[str, ...], Action] = {
    ("create",): "created",
    ("update",): "changed",
    ("delete",): "DESTROYED",
    ("forget",): "forgotten",
    ("delete", "create"): "REPLACED",
    ("create", "delete"): "REPLACED",
    ("create", "forget"): "REPLACED",
}
# The same, as `plan -json` says them while it goes; what it has no word for changes nothing in AWS.
_SPOKEN: dict[str, Action] = {
    "create": "created",
    "update": "changed",
    "delete": "DESTROYED",
    "remove": "forgotten",
    "replace": "REPLACED",
}


@dataclass(frozen=True)
class Change:
    """One resource. `because` are the attributes that are others then: of a replaced one, those that force it."""

    address: str
    type: str
    action: Action
    because: tuple[str, ...] = ()

    @property
    def precious(self) -> str | None:
        """What is lost with it, in a word; None where it can be made again, or stays."""
        return PRECIOUS.get(self.type) if self.action in ("REPLACED", "DESTROYED") else None

    def is_called(self, name: str) -> bool:
        """By its address, with or without an index."""
        return name in (self.address, _INDEX.sub("", self.address))


def read(shown: Mapping[str, Any]) -> list[Change]:
    """From `terraform show -json PLAN`, `ordered`."""
    return ordered(_change(one) for one in shown.get("resource_changes", ()) if _action(one))


def spoken(message: Mapping[str, Any]) -> Change | None:
    """What a message of `terraform plan -json` says of one resource: what would become of it, and not why."""
    change = message.get("change") or {}
    action = _SPOKEN.get(str(change.get("action"))) if message.get("type") == "planned_change" else None
    resource = change.get("resource") or {}
    return Change(str(resource["addr"]), str(resource["resource_type"]), action) if action else None


def ordered(changes: Iterable[Change]) -> list[Change]:
    """What is lost first, then what changes, then what is new."""
    return sorted(changes, key=lambda change: (-list(SIGNS).index(change.action), change.address))


def summary(changes: Collection[Change]) -> str:
    """A line for each resource, and how many of which."""
    if not changes:
        return "Nothing would change."
    width = max(len(change.address) for change in changes)
    lines = [f"  {SIGNS[c.action]} {c.address:<{width}}  {c.action}{_because(c)}" for c in changes]
    return "\n".join([*lines, "", counted(changes)])


def counted(changes: Iterable[Change]) -> str:
    """`12 created, 1 changed, 1 REPLACED`."""
    each = [change.action for change in changes]
    return ", ".join(f"{each.count(action)} {action}" for action in SIGNS if action in each) or "nothing"


def refuse_losses(changes: Iterable[Change], allowed: Collection[str]) -> None:
    """Raises GreenroomError where something precious would go that nobody has allowed by its name."""
    losses = [c for c in changes if c.precious and not any(c.is_called(name) for name in allowed)]
    if losses:
        told = ", ".join(f"{c.address} ({c.precious}) would be {c.action}" for c in losses)
        words = " ".join(f"--allow-destroy '{c.address}'" for c in losses)
        raise GreenroomError(f"{told}; nothing was applied.", f"If that is meant, say so: {words}")


def _change(one: Mapping[str, Any]) -> Change:
    action, change = _action(one), one["change"]
    assert action
    forced = [_path(path) for path in change.get("replace_paths") or ()]
    because = forced if action == "REPLACED" else _others(change) if action == "changed" else []
    return Change(one["address"], one["type"], action, tuple(dict.fromkeys(because)))


def _action(one: Mapping[str, Any]) -> Action | None:
    if one.get("mode") != "managed":
        return None
    return _ACTIONS.get(tuple(one["change"]["actions"]))


def _others(change: Mapping[str, Any]) -> list[str]:
    before, after, unknown = (change.get(key) or {} for key in ("before", "after", "after_unknown"))
    return sorted(
        name for name in {*before, *after, *unknown} if before.get(name) != after.get(name) or unknown.get(name)
    )


def _path(path: Iterable[object]) -> str:
    return ".".join(map(str, path))


def _because(change: Change) -> str:
    if not change.because:
        return ""
    names = ", ".join(change.because[:MOST_NAMES])
    more = f" and {len(change.because) - MOST_NAMES} more" if len(change.because) > MOST_NAMES else ""
    return f"{', because of' if change.action == 'REPLACED' else ':'} {names}{more}"
