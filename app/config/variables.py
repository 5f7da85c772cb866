"""How the registry declares a variable, what it says of one that is wrong, and how it describes them all."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple
from unicodedata import category

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

REQUIRED: Any = ...
SHAPE = "shape"
UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # Unicode's controls, formats and separators, the plain blank among them
JOINERS = "\u200c\u200d"  # within emoji, and letters beyond ASCII
CONSTRAINTS = ("enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "pattern")

HOST = re.compile(r"\*|\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\]")
WEB_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)
IMPLIED = {"http": 80, "https": 443}

Source = PydanticBaseSettingsSource
Origin = Literal["SSM", "task definition", "compose", "default or shell"]


class BadEnvironment(Exception):
    """Variables are missing or malformed, all of them named, or SSM cannot be read; the message shows no value."""


class Origins(NamedTuple):
    """Where a variable's value comes from in each of the three environments."""

    production_container: Origin
    test_container: Origin = "compose"
    plain_python: Origin = "default or shell"


FROM_SSM = Origins("SSM")
FROM_TASK_DEFINITION = Origins("task definition")


def variable(
    name: str,
    default: Any = REQUIRED,
    *,
    plain: Any = None,
    description: str,
    example: str,
    origins: Origins = FROM_SSM,
    since: str = "0.1.0",
    used_by: tuple[str, ...],
    **constraints: Any,
) -> Any:
    """Declare a variable. `default` holds in both containers, `plain` (when given) instead of it in plain Python."""
    facts = {"origins": origins._asdict(), "plain": plain, "since": since, "used_by": list(used_by)}
    return Field(
        default,
        validation_alias=name,
        description=description,
        examples=[example],
        json_schema_extra=facts,
        **constraints,
    )


def split(value: object) -> object:
    """`a, b` is a list of two."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def check_origin(value: str) -> str:
    """As a browser writes it, which Django compares letter by letter. Its subdomains: https://*.example.com"""
    found = WEB_ORIGIN.fullmatch(value)
    if not found:
        raise ValueError("each origin is a scheme and a host, such as https://ledger.example.com")
    return web_origin(found["scheme"], found["host"], int(found["port"] or IMPLIED[found["scheme"].lower()]))


def web_origin(scheme: str, host: str, port: int) -> str:
    """As the Origin header has it: in lower case, and without the scheme's own port."""
    shown = "" if port == IMPLIED[scheme.lower()] else f":{port}"
    return f"{scheme}://{host}{shown}".lower()


def check_host(value: str) -> str:
    """As Django's ALLOWED_HOSTS has it: with a scheme or a port it would fit no request at all."""
    if not HOST.fullmatch(value):
        raise ValueError("each is a host name without scheme and port, such as ledger.example.com")
    return value


def admits(pattern: str, host: str) -> bool:
    """Whether requests for the host are answered, as Django's ALLOWED_HOSTS has it: `.example.com` with all below."""
    pattern, host = pattern.lower(), host.lower()
    return pattern in ("*", host) or (pattern.startswith(".") and f".{host}".endswith(pattern))


def check_shape(value: object) -> object:
    """A file, a form or a document may add to what was meant, and nobody sees why a server then refuses a password."""
    if isinstance(value, str) and (value != value.strip(" \t\r\n") or len(value.splitlines()) > 1):
        raise PydanticCustomError(SHAPE, "it begins or ends with a blank, or has a line break")
    if isinstance(value, str) and (letter := unseen(value)):
        said = "it has an invisible character, {code}, as pasting from a document may add"
        raise PydanticCustomError(SHAPE, said, {"code": f"U+{ord(letter):04X}"})
    return value


def unseen(value: str) -> str:
    """The first invisible character; nothing without one, or where it joins what can be seen."""
    for before, letter in pairwise(f" {value}"):
        is_joined = letter in JOINERS and not before.isascii()
        if letter != " " and category(letter) in UNSEEN and not is_joined:
            return letter
    return ""


HostNames = Annotated[list[Annotated[str, AfterValidator(check_host)]], NoDecode, BeforeValidator(split)]
WebOrigins = Annotated[list[Annotated[str, AfterValidator(check_origin)]], NoDecode, BeforeValidator(split)]


class Variables(BaseSettings):
    """Declared variables, and where their values come from: the first source that has one decides."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    _shape = field_validator("*", mode="before")(check_shape)

    @classmethod
    def sources(cls, given: Source, own: Source) -> tuple[Source, ...]:
        """`given`: arguments; `own`: this process's environment."""
        return given, own

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: Source,
        env_settings: Source,
        dotenv_settings: Source,
        file_secret_settings: Source,
    ) -> tuple[Source, ...]:
        return cls.sources(init_settings, env_settings)


class Problem(NamedTuple):
    """What is wrong with one variable, in words that tell nothing of its value when it is secret."""

    name: str
    kind: Literal["missing", "malformed"]
    message: str


def problems(kind: type[Variables], errors: list[ErrorDetails]) -> list[Problem]:
    """One for each variable, in the order of declaration."""
    places = {attribute: name(field) for attribute, field in kind.model_fields.items()}  # a default's error names it so
    wrong = {places.get(str(error["loc"][0]), str(error["loc"][0])): error for error in errors}
    declared = {name(field): field for field in kind.model_fields.values()}
    return [problem(key, error, declared[key]) for key, error in wrong.items()]


def problem(key: str, error: ErrorDetails, field: FieldInfo) -> Problem:
    """Of a malformed secret nothing is said that its value decided, such as its length, but for what cannot be seen."""
    if error["type"] == "missing":
        return Problem(key, "missing", "is not set")
    is_told = not is_secret(field) or error["type"] == SHAPE
    message = error["msg"].removeprefix("Value error, ") if is_told else "it does not meet its constraint"
    return Problem(key, "malformed", f"is malformed: {message}")


def explain(kind: type[Variables], wrong: list[Problem], path: str | None = None) -> str:
    """One line for each: what is wrong, what it is for, whence it should come. `path`: where SSM has just been read."""
    declared = {name(field): field for field in kind.model_fields.values()}
    lines = [f"  {found.name} {found.message}. {purpose(declared[found.name], path)}" for found in wrong]
    return "\n".join([f"{len(lines)} environment variable(s) missing or malformed:", *lines])


def purpose(field: FieldInfo, path: str | None) -> str:
    origins = Origins(**facts(field)["origins"])
    in_ssm = f", {path}/{name(field)}" if path and origins.production_container == "SSM" else ""
    whence = f"production: {origins.production_container}{in_ssm}; test container: {origins.test_container}"
    return f"{field.description} ({whence}; for example: {field.examples[0] if field.examples else ''})"


def describe(kind: type[Variables]) -> list[dict[str, Any]]:
    """The registry as data: one entry a variable, in the order of declaration. Reads no value."""
    schemas = kind.model_json_schema(by_alias=True)["properties"]
    return [entry(field, schemas[name(field)]) for field in kind.model_fields.values()]


def entry(field: FieldInfo, schema: dict[str, Any]) -> dict[str, Any]:
    declared = facts(field)
    schema = {**schema.get("anyOf", [{}])[0], **schema}  # what may be left out is "anyOf: this, null"
    return {
        "name": name(field),
        "type": kind_of(schema),
        "constraint": {key: schema[key] for key in CONSTRAINTS if key in schema},
        "description": field.description,
        "example": field.examples[0] if field.examples else None,
        "secret": is_secret(field),
        "required": field.is_required(),
        "default": None if field.is_required() else field.default,
        "plain_python_default": None if is_secret(field) else declared["plain"],
        "origins": declared["origins"],
        "since": declared["since"],
        "used_by": declared["used_by"],
    }


def kind_of(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return "list of strings, separated by commas"
    return str(schema.get("type", "string"))


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def is_set_by_task_definition(field: FieldInfo) -> bool:
    return bool(facts(field)["origins"]["production_container"] == "task definition")


def name(field: FieldInfo) -> str:
    return str(field.validation_alias)


def facts(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}
