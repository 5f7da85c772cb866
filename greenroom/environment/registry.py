"""The registry of the app's environment variables, as its `manage.py describe_environment` hands it out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from greenroom import shell
from greenroom.config import Config
from greenroom.copies.project import interpreter
from greenroom.errors import GreenroomError
from greenroom.postgres import variables as libpq

SCHEMA_VERSION = 1
TASK_DEFINITION = "task definition"
OTHERS = "AWS_"  # variables so named belong to AWS's own programs, but for those that are declared

Kind = Literal["production-container", "test-container", "plain-python"]
KINDS: tuple[Kind, ...] = ("production-container", "test-container", "plain-python")


class Variable(BaseModel):
    """One declaration."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    constraint: dict[str, Any]
    description: str
    example: str | None
    secret: bool
    required: bool
    default: Any
    plain_python_default: Any
    origins: dict[str, str]
    since: str
    used_by: list[str]

    def origin(self, kind: Kind) -> str:
        """Where its value comes from."""
        return self.origins[kind.replace("-", "_")]

    def required_in(self, kind: Kind) -> bool:
        """Whether it must be set there; in plain Python all have a default."""
        return self.required and kind != "plain-python"

    def default_in(self, kind: Kind) -> str:
        """As a person would write it; `-` where there is none."""
        plain = kind == "plain-python" and self.plain_python_default is not None
        return written(self.plain_python_default if plain else self.default) or "-"

    @property
    def set_by_task_definition(self) -> bool:
        """Then SSM has no business with it."""
        return self.origin("production-container") == TASK_DEFINITION


class Problem(NamedTuple):
    """What the app finds wrong with a value, in words that do not show a secret."""

    name: str
    kind: Literal["missing", "malformed"]
    message: str


@dataclass(frozen=True)
class Registry:
    """All declarations, in their order."""

    variables: dict[str, Variable]
    python: str
    directory: Path

    @property
    def of_task_definition(self) -> list[str]:
        """The names that a task definition sets, and it alone."""
        return [name for name, variable in self.variables.items() if variable.set_by_task_definition]

    @property
    def required(self) -> list[str]:
        """The names without which a container does not start."""
        return [name for name, variable in self.variables.items() if variable.required]

    @property
    def secrets(self) -> list[str]:
        """The names whose values are never shown."""
        return [name for name, variable in self.variables.items() if variable.secret]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """How names of the app begin, such as DJANGO_."""
        return tuple(sorted({f"{name.partition('_')[0]}_" for name in self.variables} - {OTHERS}))

    def problems(self, values: Mapping[str, str]) -> list[Problem]:
        """What the app would say of these values, were they all that it is given."""
        return self.problems_of_each([values])[0]

    def problems_of_each(self, given: Sequence[Mapping[str, str]]) -> list[list[Problem]]:
        """The same of several, in one process. They go through a pipe."""
        stdin = json.dumps([dict(values) for values in given])
        said = manage(self.python, self.directory, "check_environment", stdin=stdin)
        return [[Problem(**problem) for problem in problems] for problems in said["problems"]]


def load(config: Config) -> Registry:
    """Ask the project. Raises GreenroomError where its manage.py does not say."""
    directory = config.root / config.project.directory
    python = interpreter(config.project, directory)
    said = manage(python, directory, "describe_environment", "--json")
    try:
        variables = [Variable(**entry) for entry in said["variables"]]
    except (KeyError, TypeError, ValidationError) as error:
        raise GreenroomError(
            f"{directory / 'manage.py'} describes its environment in a form that is not known here."
        ) from error
    return Registry({variable.name: variable for variable in variables}, python, directory)


def manage(python: str, directory: Path, command: str, *options: str, stdin: str | None = None) -> dict[str, Any]:
    """The JSON that a command of the project prints."""
    if not (directory / "manage.py").is_file():
        raise GreenroomError(
            f"there is no manage.py in {directory}.", "directory = in [tool.greenroom.project] says where it is."
        )
    words, others = [python, "manage.py", command, *options], libpq.for_others()
    done = shell.run(words, env=others, cwd=directory, stdin=stdin, check=False)
    if done.code != 0:
        raise GreenroomError(
            f"`manage.py {command}` failed with exit code {done.code}: {shell.last_line(done.stderr)}",
            f"Try it: cd {directory} && {python} manage.py {command}",
        )
    try:
        said = json.loads(done.stdout)
        if said["schema_version"] == SCHEMA_VERSION:
            return dict(said)
    except (ValueError, TypeError, KeyError):
        pass
    raise GreenroomError(f"`manage.py {command}` does not print the JSON of schema_version {SCHEMA_VERSION}.")


def written(value: Any) -> str:
    """A default as it would stand in a file; nothing for None."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(word) for word in value)
    return "" if value is None else str(value)
