"""What a plan would do, from what Terraform says meanwhile; tests/integration holds that against the plan itself."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.infra import plan
from greenroom.infra.applying import Heard


def planned(address: str, action: str) -> dict[str, Any]:
    """A message, as Terraform 1.11 writes it."""
    type_, _, name = address.partition(".")
    resource = {"addr": address, "module": "", "resource": address, "resource_type": type_, "resource_name": name}
    return {"type": "planned_change", "change": {"resource": resource, "action": action}}


def heard(*messages: dict[str, Any]) -> Heard:
    found = Heard()
    for message in messages:
        found.hear(message, Silent())
    return found


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("create", "created"),
        ("update", "changed"),
        ("replace", "REPLACED"),
        ("delete", "DESTROYED"),
        ("remove", "forgotten"),
    ],
)
def test_change_is_told_by_its_name(action: str, told: plan.Action) -> None:
    assert plan.spoken(planned("aws_lb.this", action)) == plan.Change("aws_lb.this", "aws_lb", told)


@pytest.mark.parametrize("action", ["noop", "read", "move", "import"])
def test_what_changes_nothing_is_not_told(action: str) -> None:
    assert plan.spoken(planned("aws_lb.this", action)) is None


def test_other_messages_are_no_changes() -> None:
    assert heard({"type": "version", "terraform": "1.11.4"}, {"type": "resource_drift", "change": {}}).changes == []


def test_only_what_is_changed_or_replaced_asks_why() -> None:
    assert not heard(planned("aws_lb.this", "create"), planned("aws_lb.that", "delete")).asks_why
    assert heard(planned("aws_lb.this", "create"), planned("aws_lb.that", "update")).asks_why
    assert heard(planned("aws_lb.that", "replace")).asks_why


@pytest.mark.parametrize(("action", "changed"), [("noop", False), ("create", True), ("update", True), ("delete", True)])
def test_outputs_that_change(action: str, changed: bool) -> None:
    outputs = {"url": {"sensitive": False, "action": action}, "test_url": {"sensitive": False, "action": "noop"}}
    assert heard({"type": "outputs", "outputs": outputs}).outputs is changed


def test_losses_come_first() -> None:
    of = [planned("aws_lb.new", "create"), planned("aws_lb.old", "delete"), planned("aws_lb.b", "update")]
    told = [change.address for change in plan.ordered(heard(*of).changes)]
    assert told == ["aws_lb.old", "aws_lb.b", "aws_lb.new"]


@pytest.mark.parametrize("action", ["replace", "delete"])
@pytest.mark.parametrize(
    ("type_", "word"),
    [
        ("aws_db_instance", "database"),
        ("aws_rds_cluster", "database"),
        ("aws_lb", "load balancer"),
        ("aws_ecr_repository", "repository"),
        ("aws_s3_bucket", "bucket"),
    ],
)
def test_what_is_precious_goes_only_by_its_name(type_: str, word: str, action: str) -> None:
    changes = heard(planned(f"{type_}.this[0]", action), planned("aws_lb_listener.this", "delete")).changes
    for allowed in ([], ["all"], [type_], [f"{type_}.other"], [f"{type_}.this[1]"]):
        with pytest.raises(GreenroomError) as refused:
            plan.refuse_losses(changes, allowed)
        told = "REPLACED" if action == "replace" else "DESTROYED"
        assert refused.value.sentence == f"{type_}.this[0] ({word}) would be {told}; nothing was applied."
        assert refused.value.hint == f"If that is meant, say so: --allow-destroy '{type_}.this[0]'"
    plan.refuse_losses(changes, [f"{type_}.this"])
    plan.refuse_losses(changes, [f"{type_}.this[0]"])


@pytest.mark.parametrize("action", ["create", "update", "remove"])
def test_what_stays_needs_no_name(action: str) -> None:
    plan.refuse_losses(heard(planned("aws_db_instance.this", action)).changes, [])
