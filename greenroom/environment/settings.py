"""What files of the repository set: compose, the task definition, buildspecs, Terraform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from greenroom.environment import values
from greenroom.environment.hcl import without_comments
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
TASK_DEFINITION = Path("ci/taskdef.json")
BUILDSPECS = "ci/buildspec*.yml"
TERRAFORM = "infra/terraform/*.tf"
_PLACEHOLDER = re.compile(r"<[^<>]+>|\$")  # filled in elsewhere


class Settings(NamedTuple):
    """What one place gives to one container. A value is None where something else fills it in."""

    place: str
    values: dict[str, Secret | None]

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Those of the names that it does not set: an empty value counts as not set."""
        nothing = Secret("")
        return [name for name in names if self.values.get(name, nothing) == nothing]


class Mention(NamedTuple):
    """A place that names variables without giving a container all of them."""

    place: str
    names: list[str]


def compose(root: Path) -> list[Settings]:
    """Of each service."""
    found = []
    for path in (root / name for name in COMPOSE):
        services = _yaml(path).get("services") or {} if path.is_file() else {}
        if not isinstance(services, dict):
            raise _misshapen(f"{path.name}: services: is no mapping")
        for name, service in services.items():
            place = f"{path.name}, service {name}"
            found.append(Settings(place, _service(root, place, service)))
    return found


def task_definition(root: Path, name: Path = TASK_DEFINITION) -> list[Settings]:
    """Of each container. Names of `secrets` are set too: they reach the container as variables."""
    path = root / name
    if not path.is_file():
        return []
    try:
        containers = json.loads(read(path))["containerDefinitions"]
        return [_container(name, container) for container in containers]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GreenroomError(
            f"{name} is not a task definition ({type(error).__name__}).",
            "Its shape: aws ecs register-task-definition --generate-cli-skeleton",
        ) from error


def mentions(root: Path, prefixes: tuple[str, ...]) -> list[Mention]:
    """Names of the app's that buildspecs and Terraform mention."""
    word = re.compile(rf"\b(?:{'|'.join(map(re.escape, prefixes))})[A-Z0-9_]*[A-Z0-9]\b(?!_?\*)")
    found = []
    for path in [*sorted(root.glob(BUILDSPECS)), *sorted(root.glob(TERRAFORM))]:
        if not path.is_file():
            continue
        is_yaml = path.suffix == ".yml"
        said = "\n".join(_strings(_yaml(path))) if is_yaml else without_comments(read(path, errors="replace"))
        found.append(Mention(str(path.relative_to(root)), sorted(set(word.findall(said)))))
    return found


def _service(root: Path, place: str, service: Any) -> dict[str, Secret | None]:
    if not isinstance(service, dict):
        raise _misshapen(f"{place} is no mapping")
    files = service.get("env_file") or []
    given: dict[str, Secret | None] = {}
    for file in files if isinstance(files, list) else [files]:
        name = file.get("path") if isinstance(file, dict) else file
        if not isinstance(name, str):
            raise _misshapen(f"{place}: an env_file: is neither a path nor has one")
        given |= _file(root / name) if (root / name).is_file() else {}
    environment = service.get("environment") or {}
    if isinstance(environment, list) and all(isinstance(word, str) for word in environment):
        environment = dict(map(_pair, environment))
    if not isinstance(environment, dict):
        raise _misshapen(f"{place}: environment: is neither NAME: value nor a list of NAME=value")
    return given | {str(name): _value(value) for name, value in environment.items()}


def _file(path: Path) -> dict[str, Secret | None]:
    """As compose reads it: a name alone has its value from the shell, and a later line wins."""
    found = {line.name: line.value for line in values.lines(path)}
    return {name: value and _value(value.reveal()) for name, value in found.items()}


def _misshapen(what: str) -> GreenroomError:
    return GreenroomError(f"{what}.", "Correct it; docker compose config --quiet says what else is wrong.")


def _pair(word: str) -> tuple[str, str | None]:
    name, separator, value = word.partition("=")
    return name, value if separator else None


def _container(path: Path, container: dict[str, Any]) -> Settings:
    environment = {str(entry["name"]): _value(entry.get("value")) for entry in container.get("environment") or []}
    secrets = {str(entry["name"]): None for entry in container.get("secrets") or []}
    return Settings(f"{path}, container {container.get('name', '?')}", {**environment, **secrets})


def _value(value: Any) -> Secret | None:
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return None if value is None or _PLACEHOLDER.search(text) else Secret(text)


def _yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(read(path))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise GreenroomError(f"{path.name} is not YAML{where}.", "Correct it there, then run again.") from None
    if not isinstance(document, dict | None):
        raise GreenroomError(f"{path.name} is no mapping.", "Correct it, then run again: its lines begin with NAME:")
    return document or {}


def read(path: Path, errors: str = "strict") -> str:
    """The text of a file. Raises GreenroomError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors=errors)
    except OSError as error:
        raise GreenroomError(f"{path} cannot be read: {error.strerror}.", "Make it readable, then run again.") from None


def _strings(node: Any) -> Iterable[str]:
    """Every key and every text of a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)
    elif isinstance(node, str):
        yield node
