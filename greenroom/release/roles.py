"""Roles, as far as they can be read: there, trusted by the service that takes them on, and ours to pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from greenroom.aws import AwsError
from greenroom.guard import Guard

TASKS, CODEDEPLOY = "ecs-tasks.amazonaws.com", "codedeploy.amazonaws.com"


def look(guard: Guard, of_tasks: list[str], of_deployer: str | None) -> tuple[list[str], str]:
    """A sentence for each thing that is wrong, and what could be seen. Raises AwsError where IAM may not be asked."""
    wanted = [(arn, TASKS) for arn in of_tasks] + ([(of_deployer, CODEDEPLOY)] if of_deployer else [])
    wrong = [line for arn, service in wanted for line in _trust(guard, arn, service)]
    refused = None if wrong else _not_passable(guard, of_tasks)
    told = "whether we may pass them, IAM does not tell" if refused is None else "ours to pass"
    return wrong + (refused or []), f"{len(wanted)} there and trusted; {told}"


def _trust(guard: Guard, arn: str, service: str) -> Iterator[str]:
    name = arn.rpartition("/")[2]
    try:
        document = guard.call("iam", "get_role", RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except AwsError as error:
        if error.why != "not found":
            raise
        yield f"there is no role {name}."
        return
    if service not in set(_trusted(document)):
        yield f"the role {name} is not trusted by {service}."


def _trusted(document: dict[str, Any]) -> Iterator[str]:
    statements = document.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") or {}
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow":
            yield from [services] if isinstance(services, str) else services


def _not_passable(guard: Guard, roles: list[str]) -> list[str] | None:
    """By IAM's own simulation of the policies of whoever asks; None where it does not tell this one."""
    caller = str(guard.call("sts", "get_caller_identity")["Arn"])
    source = _principal(caller)
    if source is None:
        return []
    try:
        answer = guard.call(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=source,
            ActionNames=["iam:PassRole"],
            ResourceArns=roles,
            ContextEntries=[
                {"ContextKeyName": "iam:PassedToService", "ContextKeyValues": [TASKS], "ContextKeyType": "string"}
            ],
        )
    except AwsError as error:
        if error.why in ("denied", "not found"):
            return None
        raise
    return [
        f"{source.rpartition('/')[2]} may not pass the role {result['EvalResourceName'].rpartition('/')[2]}."
        for result in answer.get("EvaluationResults") or ()
        if result.get("EvalDecision") != "allowed"
    ]


def _principal(caller: str) -> str | None:
    """The user or role behind a session's ARN; None for the root user, who may do everything."""
    before, _, after = caller.partition(":assumed-role/")
    if after:
        return f"{before.replace(':sts:', ':iam:')}:role/{after.partition('/')[0]}"
    return None if caller.endswith(":root") else caller
