"""What SSM holds below the path of an environment, and the check that it is the right account's SSM."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

from greenroom import aws
from greenroom.config import Environment
from greenroom.environment.registry import Registry, Variable
from greenroom.secret import Secret

PAGE = 10  # the most that GetParametersByPath gives at once
METADATA_PAGE = 50


class Parameter(NamedTuple):
    """One parameter; `name` is what follows the path."""

    name: str
    value: Secret
    type: str
    version: int


class Metadata(NamedTuple):
    """What stands beside a parameter's value."""

    description: str
    pattern: str
    key: str | None
    tier: str


def stored(environment: Environment) -> dict[str, Parameter]:
    """Every parameter below the path, decrypted. Raises GreenroomError for the wrong account, and AwsError."""
    aws.check_account(environment)
    with closing(reader(environment, "ssm")) as ssm, aws.refusals():
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path=environment.ssm_path, Recursive=True, WithDecryption=True, PaginationConfig={"PageSize": PAGE}
        )
        found = [_parameter(environment, said) for page in pages for said in page["Parameters"]]
    return {parameter.name: parameter for parameter in sorted(found)}


def metadata(environment: Environment) -> dict[str, Metadata]:
    """Description, pattern, key and tier of every parameter below the path."""
    below = {"Key": "Path", "Option": "Recursive", "Values": [environment.ssm_path]}
    with closing(reader(environment, "ssm")) as ssm, aws.refusals():
        pages = ssm.get_paginator("describe_parameters").paginate(
            ParameterFilters=[below], PaginationConfig={"PageSize": METADATA_PAGE}
        )
        return {_below(environment, said["Name"]): _metadata(said) for page in pages for said in page["Parameters"]}


def reader(environment: Environment, service: str) -> Any:
    """A client that can change nothing."""
    return aws.read_only(service, region=environment.region, profile=environment.profile)


def problems(registry: Registry, stored: dict[str, Parameter]) -> list[str]:
    """A line for each thing that is wrong with what SSM holds."""
    taken = {name: found.value.reveal() for name, found in stored.items() if is_taken(registry, name)}
    wrong = [f"{problem.name} {problem.message}" for problem in registry.problems(taken)]
    return [*wrong, *(line for found in stored.values() for line in _odd(registry, found))]


def is_taken(registry: Registry, name: str) -> bool:
    """Whether the app takes a parameter of this name from SSM."""
    variable = registry.variables.get(name)
    return variable is not None and not variable.set_by_task_definition


def must_be_secure(variable: Variable, type: str) -> bool:
    """Whether a secret lies in the open."""
    return variable.secret and type != "SecureString"


def _odd(registry: Registry, found: Parameter) -> list[str]:
    from greenroom.environment.finding import nearest

    variable = registry.variables.get(found.name)
    if variable is None:
        near = nearest(registry, found.name)
        return [f"{found.name} is not in the registry{f' (is {near} meant?)' if near else ''}: the app does not use it"]
    if variable.set_by_task_definition:
        return [f"{found.name} is set by the task definition: the app does not take it from SSM"]
    if must_be_secure(variable, found.type):
        return [f"{found.name} is a secret and stands there as a plain {found.type}: it must be a SecureString"]
    return []


def _parameter(environment: Environment, said: dict[str, Any]) -> Parameter:
    name = _below(environment, said["Name"])
    return Parameter(name, Secret(said["Value"]), said["Type"], said["Version"])


def _metadata(said: dict[str, Any]) -> Metadata:
    return Metadata(
        said.get("Description", ""), said.get("AllowedPattern", ""), said.get("KeyId"), said.get("Tier", "Standard")
    )


def _below(environment: Environment, whole: str) -> str:
    return whole.removeprefix(f"{environment.ssm_path}/")
