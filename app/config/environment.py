"""The registry: every environment variable that the app knows, declared once.

Settings read their values from here and nowhere else, and all documentation of variables is made from `describe()`.
Before adding a variable, look here for one to reuse. An empty value counts as not set.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

REQUIRED: Any = ...
PLAIN_SECRET_KEY = "plain-python-only: sessions signed with this are worth nothing 0123456789"  # noqa: S105

Origin = Literal["SSM", "task definition", "compose", "default or shell"]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class BadEnvironment(ImproperlyConfigured):
    """Variables are missing or malformed; the message names all of them, and shows no value."""


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
    scheme, separator, host = value.partition("://")
    if scheme not in ("http", "https") or not separator or not host or "/" in host:
        raise ValueError("each origin is a scheme and a host, such as https://ledger.example.com")
    return value


Words = Annotated[list[str], NoDecode, BeforeValidator(split)]
WebOrigins = Annotated[list[Annotated[str, AfterValidator(check_origin)]], NoDecode, BeforeValidator(split)]


class Environment(BaseSettings):
    """The values, as the two containers have them: what has no default must be set."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    settings_module: str | None = variable(
        "DJANGO_SETTINGS_MODULE",
        None,
        description="Settings module: config.settings.prod in both containers, config.settings.test in plain Python.",
        example="config.settings.prod",
        origins=FROM_TASK_DEFINITION,
        used_by=("manage.py", "config/wsgi.py"),
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
    )
    secret_key: SecretStr = variable(
        "DJANGO_SECRET_KEY",
        plain=PLAIN_SECRET_KEY,
        description="Signs sessions and tokens, 50 characters or more; everybody is logged out when it changes.",
        example="the output of: openssl rand -base64 48",
        used_by=("SECRET_KEY",),
        min_length=50,
    )
    allowed_hosts: Words = variable(
        "DJANGO_ALLOWED_HOSTS",
        plain=["localhost", "127.0.0.1", "[::1]"],
        description="Host names that requests may ask for, separated by commas. Health checks are answered under any.",
        example="ledger.example.com",
        used_by=("ALLOWED_HOSTS",),
        min_length=1,
    )
    csrf_trusted_origins: WebOrigins = variable(
        "DJANGO_CSRF_TRUSTED_ORIGINS",
        [],
        description="Origins beside the app's own whose forms are accepted, separated by commas.",
        example="https://admin.example.com",
        used_by=("CSRF_TRUSTED_ORIGINS",),
    )
    external_protocol: Literal["http", "https"] = variable(
        "DJANGO_EXTERNAL_PROTOCOL",
        "https",
        plain="http",
        description="How browsers reach the app. With https, cookies are sent over https alone and http is redirected.",
        example="https",
        used_by=("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_TRUSTED_ORIGINS", "functional tests"),
    )
    external_host_name: str = variable(
        "DJANGO_EXTERNAL_HOST_NAME",
        plain="localhost",
        description="Host name under which the running app is reached from outside.",
        example="ledger.example.com",
        used_by=("CSRF_TRUSTED_ORIGINS", "functional tests"),
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
    )
    external_port_num: int = variable(
        "DJANGO_EXTERNAL_PORT_NUM",
        443,
        plain=8000,
        description="Port under which the running app is reached from outside.",
        example="443",
        used_by=("CSRF_TRUSTED_ORIGINS", "functional tests"),
        ge=1,
        le=65535,
    )
    internal_port_num: int = variable(
        "DJANGO_INTERNAL_PORT_NUM",
        8000,
        description="Port inside the container on which the app listens.",
        example="8000",
        origins=FROM_TASK_DEFINITION,
        used_by=("the container's web server",),
        ge=1,
        le=65535,
    )
    db_host: str = variable(
        "DJANGO_DB_HOST",
        plain="localhost",
        description="Host name of the PostgreSQL server, or the directory of its Unix socket.",
        example="ledger.cluster-abc.eu-central-1.rds.amazonaws.com",
        used_by=("DATABASES",),
    )
    db_port: int = variable(
        "DJANGO_DB_PORT",
        5432,
        description="Port of the PostgreSQL server.",
        example="5432",
        used_by=("DATABASES",),
        ge=1,
        le=65535,
    )
    db_name: str = variable(
        "DJANGO_DB_NAME",
        plain="ledger",
        description="Name of the database.",
        example="ledger",
        used_by=("DATABASES",),
        max_length=63,
    )
    db_user: str = variable(
        "DJANGO_DB_USER",
        plain="ledger",
        description="Role that the app logs in as.",
        example="ledger",
        used_by=("DATABASES",),
        max_length=63,
    )
    db_pass: SecretStr = variable(
        "DJANGO_DB_PASS",
        plain="",
        description="Password of that role.",
        example="a long random password",
        used_by=("DATABASES",),
    )
    db_sslmode: SslMode = variable(
        "DJANGO_DB_SSLMODE",
        "require",
        plain="prefer",
        description="How far the connection to the database insists on TLS, in libpq's words.",
        example="verify-full",
        used_by=("DATABASES",),
    )
    db_conn_max_age: int = variable(
        "DJANGO_DB_CONN_MAX_AGE",
        60,
        plain=0,
        description="Seconds for which a database connection is kept between requests; 0 closes it after each.",
        example="60",
        used_by=("DATABASES",),
        ge=0,
    )
    log_level: LogLevel = variable(
        "DJANGO_LOG_LEVEL",
        "INFO",
        plain="WARNING",
        description="Least severe level that is logged.",
        example="INFO",
        used_by=("LOGGING",),
    )

    @property
    def external_origin(self) -> str:
        """Scheme, host and port as a browser writes them in the Origin header: without the scheme's own port."""
        port = (
            ""
            if self.external_port_num == {"http": 80, "https": 443}[self.external_protocol]
            else self.external_port_num
        )
        return f"{self.external_protocol}://{self.external_host_name}{f':{port}' if port else ''}"


class PlainPythonEnvironment(Environment):
    """The values in plain Python: every variable has a default."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        plain = {name(field): facts(field)["plain"] for field in cls.model_fields.values()}
        defaults = {key: value for key, value in plain.items() if value is not None}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=defaults)


def read(kind: type[Environment] = Environment) -> Environment:
    """The values of this process's environment. Raises BadEnvironment naming every variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    raise BadEnvironment(explain(problems))


def explain(problems: list[ErrorDetails]) -> str:
    """One line for each variable that is missing or malformed: what is wrong, what it is for, whence it should come."""
    declared = {name(field): field for field in Environment.model_fields.values()}
    wrong = {str(problem["loc"][0]): problem for problem in problems}
    lines = [f"  {key} {complaint(problem, declared[key])}" for key, problem in wrong.items()]
    return "\n".join([f"{len(lines)} environment variable(s) missing or malformed:", *lines])


def complaint(problem: ErrorDetails, field: FieldInfo) -> str:
    """Of a malformed secret nothing is said that its value decided, such as its length."""
    message = "it does not meet its constraint" if is_secret(field) else problem["msg"].removeprefix("Value error, ")
    what = "is not set" if problem["type"] == "missing" else f"is malformed: {message}"
    origins = Origins(**facts(field)["origins"])
    whence = f"production: {origins.production_container}; test container: {origins.test_container}"
    return f"{what}. {field.description} ({whence}; for example: {field.examples[0] if field.examples else ''})"


def describe() -> list[dict[str, Any]]:
    """The registry as data: one entry a variable, in the order of declaration. Reads no value."""
    schemas = Environment.model_json_schema(by_alias=True)["properties"]
    return [entry(field, schemas[name(field)]) for field in Environment.model_fields.values()]


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


CONSTRAINTS = ("enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "pattern")


def kind_of(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        return "list of strings, separated by commas"
    return str(schema.get("type", "string"))


def is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def name(field: FieldInfo) -> str:
    return str(field.validation_alias)


def facts(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}
