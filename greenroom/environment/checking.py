"""Whatever reads or sets variables, held against the registry: a line for each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from greenroom.config import Config
from greenroom.environment import code, settings
from greenroom.environment.documents import documents
from greenroom.environment.finding import nearest
from greenroom.environment.registry import OTHERS, Registry
from greenroom.environment.settings import Settings
from greenroom.secret import Secret

READ_SSM = "DJANGO_READ_SSM_PARAMS"
TRUE = ("true", "t", "yes", "y", "on", "1")  # as the app reads it
LIBRARIES = (OTHERS, "GUNICORN_", "PYTHON", "PG", "WEB_CONCURRENCY", "TZ", "LANG")  # read by what the app uses


def problems(config: Config, registry: Registry) -> list[str]:
    """Of the checkout: the app's code, the files that set variables, and what is generated."""
    root = config.root
    services, containers = settings.compose(root), settings.task_definition(root, config.image.taskdef)
    return [
        *_code(config),
        *(line for given in services for line in _compose(registry, given)),
        *_task_definition(registry, config.image.taskdef, containers),
        *_malformed(registry, [*services, *containers]),
        *_mentions(registry, root),
        *_stale(config, registry),
    ]


def task_definition(config: Config, registry: Registry) -> list[str]:
    """Of the task definition alone."""
    path = config.image.taskdef
    return list(_task_definition(registry, path, settings.task_definition(config.root, path)))


def _code(config: Config) -> Iterable[str]:
    found = code.readings(config.root / config.project.directory, config.project.registry)
    for path, line, what in found:
        yield f"{path.relative_to(config.root)}:{line}: {what}: variables are read by the registry alone"


def _compose(registry: Registry, given: Settings) -> Iterable[str]:
    """A service that sets none of the app's variables is none of the app's."""
    if not any(name.startswith(registry.prefixes) for name in given.values):
        return
    yield from _unknown(registry, given.place, [name for name in given.values if not name.startswith(LIBRARIES)])
    required = given.lacking(registry.required)
    if len(required) < len(registry.required) and not _reads_ssm(given):
        yield from (f"{given.place}: {name} is required and not set" for name in required)


def _task_definition(registry: Registry, path: Path, containers: list[Settings]) -> Iterable[str]:
    """The app's container sets exactly what does not come from SSM; others, such as a log router, are not ours."""
    ours = [given for given in containers if any(name.startswith(registry.prefixes) for name in given.values)]
    if containers and not ours:
        yield f"{path}: no container sets {', '.join(registry.of_task_definition)}"
    for given in ours:
        yield from _unknown(registry, given.place, [name for name in given.values if not name.startswith(LIBRARIES)])
        for name in given.lacking(registry.of_task_definition):
            yield f"{given.place}: {name} is not set, and nothing else can set it"
        for name in given.values.keys() & registry.variables.keys() - set(registry.of_task_definition):
            yield f"{given.place}: {name} comes from SSM, and is not set here"


def _mentions(registry: Registry, root: Path) -> Iterable[str]:
    for place, names in settings.mentions(root, registry.prefixes):
        yield from _unknown(registry, place, names)


def _stale(config: Config, registry: Registry) -> Iterable[str]:
    source = config.project.directory / config.project.registry
    for name, wanted in documents(registry, source).items():
        path = config.root / name
        if not path.is_file() or settings.read(path, errors="replace") != wanted:
            yield f"{name}: not what the registry says: ./inv env-docs"


def _unknown(registry: Registry, place: str, names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if name not in registry.variables:
            near = nearest(registry, name)
            yield f"{place}: {name} is not in the registry{f' (is {near} meant?)' if near else ''}"


def _malformed(registry: Registry, places: list[Settings]) -> Iterable[str]:
    known = [
        {name: value.reveal() for name, value in given.values.items() if value and name in registry.variables}
        for given in places
    ]
    for given, problems in zip(places, registry.problems_of_each(known) if any(known) else [], strict=False):
        for problem in problems:
            if problem.kind == "malformed":
                yield f"{given.place}: {problem.name} {problem.message}"


def _reads_ssm(given: Settings) -> bool:
    """Whether it does, or what fills the switch in may say so."""
    value = given.values.get(READ_SSM, Secret(""))
    return value is None or value.reveal().lower() in TRUE
