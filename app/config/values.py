"""The registry's values, by where they come from: this process's environment, SSM, defaults, or what is given.

Whatever is wrong with them is told at once, each by its name and none by its value.
"""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import InitSettingsSource

from config import ssm, variables
from config.environment import Environment, ParameterStore, SettingsModule, WebServer
from config.variables import BadEnvironment, Problem, Source, explain, facts, name


class ContainerEnvironment(Environment):
    """The values in both containers: what the environment does not set may be in SSM."""

    @classmethod
    def sources(cls, given: Source, own: Source) -> tuple[Source, ...]:
        return given, own, *parameters(cls)


class PlainPythonEnvironment(Environment):
    """The values in plain Python: every variable has a default, and SSM is not read."""

    @classmethod
    def sources(cls, given: Source, own: Source) -> tuple[Source, ...]:
        plain = {name(field): facts(field)["plain"] for field in cls.model_fields.values()}
        defaults = {key: value for key, value in plain.items() if value is not None}
        return given, own, InitSettingsSource(cls, init_kwargs=defaults)


class GivenEnvironment(Environment):
    """Values that are not this process's own."""

    @classmethod
    def sources(cls, given: Source, own: Source) -> tuple[Source, ...]:
        return (given,)


def parameters(kind: type[Environment]) -> tuple[Source, ...]:
    """SSM as a source of what the environment does not set; none where it is not to be read, or where is not known."""
    try:
        store = ParameterStore()
    except ValidationError:
        return ()
    if not (store.read_ssm_params and store.ssm_params_path and store.aws_default_region):
        return ()
    values = ssm.values(kind, store.ssm_params_path, store.aws_default_region)
    return (InitSettingsSource(kind, init_kwargs=dict(values)),)


def read(kind: type[Environment] = ContainerEnvironment) -> Environment:
    """The values of this process's environment. Raises BadEnvironment naming every variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        wrong = problems_of(error)
    raise BadEnvironment(complaint(wrong))


def settings_module(default: str) -> str:
    """The settings that this process loads. Raises BadEnvironment where they are named by what is no module's name."""
    try:
        return SettingsModule().settings_module or default
    except ValidationError as error:
        wrong = problems_of(error)
    raise BadEnvironment(explain(Environment, wrong))


def web_server() -> WebServer:
    """What the web server needs of it. Raises BadEnvironment naming every variable that is wrong, also the others."""
    try:
        return WebServer()
    except ValidationError:
        return read()


def check(values: dict[str, str]) -> list[Problem]:
    """What a container would find wrong with these values, were they all that it is given."""
    try:
        GivenEnvironment(**{key: value for key, value in values.items() if value})  # type: ignore[arg-type]
    except ValidationError as error:
        return problems_of(error)
    return []


def problems_of(error: ValidationError) -> list[Problem]:
    return variables.problems(Environment, error.errors(include_url=False, include_context=False, include_input=False))


def complaint(wrong: list[Problem]) -> str:
    """Where SSM could not be asked for what it should have, only that is said: the rest may well be there."""
    switches = {name(field) for field in ParameterStore.model_fields.values()}
    if switches & {found.name for found in wrong}:
        return explain(Environment, [found for found in wrong if found.name in switches or found.kind == "malformed"])
    store = ParameterStore()
    return explain(Environment, wrong, store.ssm_params_path if store.read_ssm_params else None)
