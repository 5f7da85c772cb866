"""Writing what differs into SSM: a plan is made and shown, and exactly that is written. Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from greenroom.aws import AwsError
from greenroom.config import Environment
from greenroom.environment import parameters
from greenroom.environment.comparing import Difference, State, table
from greenroom.environment.parameters import Metadata, Parameter
from greenroom.environment.registry import Registry, Variable
from greenroom.errors import GreenroomError
from greenroom.guard import Guard
from greenroom.secret import Secret

LARGEST = 4096  # bytes of a value in the standard tier


class Change(NamedTuple):
    """One parameter to write, and the one that it replaces, as it was when this was shown."""

    variable: Variable
    value: Secret
    there: Parameter | None
    described: Metadata | None

    @property
    def type(self) -> str:
        """An existing parameter keeps its own."""
        return self.there.type if self.there else "SecureString" if self.variable.secret else "String"


def refuse(registry: Registry, here: dict[str, Secret]) -> None:
    """Raise GreenroomError naming everything in a file of values that SSM must not get."""
    wrong = [line for name, value in here.items() for line in _refused(registry, name, value)]
    given = {name: value.reveal() for name, value in here.items() if parameters.is_taken(registry, name)}
    problems = registry.problems(given)
    wrong += [f"{problem.name} {problem.message}." for problem in problems if problem.kind == "malformed"]
    _raise(wrong, "Correct the file, then run again: ./inv env-find WORD shows what there is.")


def planned(registry: Registry, differences: list[Difference], described: dict[str, Metadata]) -> list[Change]:
    """What is to be written: new and changed values, and those whose description or pattern is another by now.

    Raises GreenroomError for a secret that lies in SSM in the open, and for values that do not go with those there.
    """
    _raise(
        [
            f"{found.name} is a secret and stands in SSM as a plain {found.there.type}."
            for found in differences
            if found.here and found.there and _in_the_open(registry, found.there)
        ],
        "AWS keeps a parameter's type, and its old values to be read: delete it, choose another value, push again.",
    )
    _raise(_at_odds(registry, differences), "Put these variables into the file together, then run again.")
    changes = [
        Change(registry.variables[found.name], found.here, found.there, described.get(found.name))
        for found in differences
        if found.here
    ]
    states = {found.name: found.state for found in differences}
    return [c for c in changes if states[c.variable.name] is not State.SAME or described_otherwise(c)]


def preview(registry: Registry, differences: list[Difference], changes: list[Change]) -> str:
    """What differs, and what is only described anew."""
    same = {found.name for found in differences if found.state is State.SAME}
    anew = [f"  * {c.variable.name}: its description or pattern" for c in changes if c.variable.name in same]
    return "\n".join([table(registry, differences), *anew])


def write(environment: Environment, changes: list[Change]) -> Iterator[str]:
    """Write the changes, and yield each name when it is there. Raises GreenroomError when SSM is not as was shown."""
    now = parameters.stored(environment)
    moved = [c.variable.name for c in changes if _version(now.get(c.variable.name)) != _version(c.there)]
    if moved:
        raise GreenroomError(
            f"{', '.join(moved)} changed in SSM since it was shown; nothing was written.", "Run it again, and look."
        )
    with Guard(environment) as guard:
        guard.agree()
        for change in changes:
            try:
                guard.call("ssm", "put_parameter", **request(environment, change))
            except AwsError as error:
                raise _not_written(environment, change, error) from None
            yield change.variable.name


def request(environment: Environment, change: Change) -> dict[str, Any]:
    """The arguments of PutParameter. An existing parameter keeps its tier and its key, where AWS would take its own."""
    variable = change.variable
    pattern = variable.constraint.get("pattern")
    key = (change.described.key if change.described else None) or environment.kms_key
    return {
        "Name": f"{environment.ssm_path}/{variable.name}",
        "Value": change.value.reveal(),
        "Type": change.type,
        "Description": variable.description,
        "Overwrite": change.there is not None,
        **({"AllowedPattern": pattern} if pattern else {}),
        **({"KeyId": key} if change.type == "SecureString" and key else {}),
        **({} if change.there else {"Tier": "Standard"}),
    }


def described_otherwise(change: Change) -> bool:
    """Whether SSM has another description or pattern than the registry; a pattern that is gone from there is left."""
    if change.described is None:
        return False
    pattern = change.variable.constraint.get("pattern")
    return change.described.description != change.variable.description or (
        pattern is not None and change.described.pattern != pattern
    )


def _refused(registry: Registry, name: str, value: Secret) -> list[str]:
    from greenroom.environment.finding import nearest

    variable, size = registry.variables.get(name), len(value.reveal().encode())
    if variable is None:
        near = nearest(registry, name)
        return [f"{name} is not in the registry{f'; is {near} meant?' if near else '.'}"]
    if variable.set_by_task_definition:
        return [f"{name} is set by the task definition, and never by SSM."]
    if size > LARGEST:
        return [f"{name} has {size} bytes; a standard parameter holds {LARGEST}."]
    if "{{" in value.reveal():
        return [f"{name} holds {{{{, which SSM takes for a reference to another parameter."]
    return []


def _at_odds(registry: Registry, differences: list[Difference]) -> list[str]:
    """What the app would refuse once the file's values stand beside SSM's, and does not refuse of SSM's now."""
    there = {
        found.name: found.there.value.reveal()
        for found in differences
        if found.there and parameters.is_taken(registry, found.name)
    }
    here = {found.name: found.here.reveal() for found in differences if found.here}
    now, then = registry.problems_of_each([there, there | here])
    return [
        f"{problem.name} {problem.message}, as SSM would hold them."
        for problem in then
        if problem.kind == "malformed" and problem not in now
    ]


def _not_written(environment: Environment, change: Change, error: AwsError) -> AwsError:
    """By AWS's code alone: the text of a refusal can quote the value."""
    name = change.variable.name
    if error.why not in ("refused", "quota", "state", "not found", "capacity"):
        return AwsError(error.why, error.reason, f"{name} was not written: {error.sentence}", error.hint)
    return AwsError(
        error.why,
        error.reason,
        f"{name} was not written: SSM refuses it ({error.reason}).",
        "What that code means stands in AWS's reference of PutParameter; what is still to write: "
        f"./inv env-diff --environment {environment.name}",
    )


def _raise(wrong: list[str], hint: str) -> None:
    if wrong:
        raise GreenroomError("\n".join(wrong), hint)


def _in_the_open(registry: Registry, there: Parameter) -> bool:
    return parameters.must_be_secure(registry.variables[there.name], there.type)


def _version(found: Parameter | None) -> int | None:
    return found.version if found else None
