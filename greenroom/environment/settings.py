"""What files of the repository set: compose, the task definition, buildspecs, Terraform."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from greenroom.environment import values
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
TASK_DEFINITION = Path("ci/taskdef.json")
BUILDSPECS = "ci/buildspec*.yml"
TERRAFORM = "infra/terraform/*.tf"
_PLACEHOLDER = re.compile(r"<[^<>]+>|\$")  # filled in elsewhere
_HCL_COMMENT = re.compile(r"^\s*(?:#|//)[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)


class Settings(NamedTuple):
    """What one place gives to one container. A value is None where something else fills it in."""

    place: str
    values: dict[str, Secret | None]


class Mention(NamedTuple):
    """A place that names variables without giving a container all of them."""

    place: str
    names: list[str]


def compose(root: Path) -> list[Settings]:
    """Of each service."""
    found = []
    for path in (root / name for name in COMPOSE):
        services = _yaml(path).get("services") or {} if path.is_file() else {}
        found += [
            Settings(f"{path.name}, service {name}", _service(root, service)) for name, service in services.items()
        ]
    return found


def task_definition(root: Path, name: Path = TASK_DEFINITION) -> list[Settings]:
    """Of each container. Names of `secrets` are set too: they reach the container as variables."""
    path = root / name
    if not path.is_file():
        return []
    try:
        containers = json.loads(path.read_text(encoding="utf-8"))["containerDefinitions"]
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
        text = path.read_text(encoding="utf-8", errors="replace")
        said = "\n".join(_strings(_yaml(path))) if path.suffix == ".yml" else _HCL_COMMENT.sub("", text)
        found.append(Mention(str(path.relative_to(root)), sorted(set(word.findall(said)))))
    return found


def _service(root: Path, service: Any) -> dict[str, Secret | None]:
    if not isinstance(service, dict):
        return {}
    files = service.get("env_file") or []
    given: dict[str, Secret | None] = {}
    for file in [files] if isinstance(files, str | dict) else files:
        path = root / (file["path"] if isinstance(file, dict) else file)
        given |= values.read(path) if path.is_file() else {}
    environment = service.get("environment") or {}
    pairs = environment.items() if isinstance(environment, dict) else (_pair(word) for word in environment)
    return given | {str(name): _value(value) for name, value in pairs}


def _pair(word: Any) -> tuple[str, str | None]:
    name, separator, value = str(word).partition("=")
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
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise GreenroomError(f"{path.name} is not YAML{where}.", "Correct it there, then run again.") from None
    return document if isinstance(document, dict) else {}


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
