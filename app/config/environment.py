"""The registry: every environment variable that the app knows, declared once.

Settings read their values from here and nowhere else, and all documentation of variables is made from `describe()`.
Before adding a variable, look here for one to reuse (`./inv env-find WORD`). An empty value counts as not set.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import InitSettingsSource

from config import ssm, variables
from config.variables import (
    FROM_TASK_DEFINITION,
    BadEnvironment,
    Problem,
    Source,
    Variables,
    WebOrigins,
    Words,
    explain,
    facts,
    name,
    variable,
)

PLAIN_SECRET_KEY = "plain-python-only: sessions signed with this are worth nothing 0123456789"  # noqa: S105

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class ParameterStore(Variables):
    """Whether the other values are read from SSM, and where it has them."""

    read_ssm_params: bool = variable(
        "DJANGO_READ_SSM_PARAMS",
        False,
        description="Whether config.settings.prod reads from SSM what the container's own environment does not set.",
        example="true",
        origins=FROM_TASK_DEFINITION,
        used_by=("config/ssm.py",),
    )
    ssm_params_path: str | None = variable(
        "DJANGO_SSM_PARAMS_PATH",
        None,
        description="Path in SSM below which each parameter bears the name of its variable; needed to read from SSM.",
        example="/ledger/staging",
        origins=FROM_TASK_DEFINITION,
        used_by=("config/ssm.py",),
        pattern=r"^(/[A-Za-z0-9_.-]+){1,14}$",
        validate_default=True,
    )
    aws_default_region: str | None = variable(
        "AWS_DEFAULT_REGION",
        None,
        description="Region of AWS that the app runs in; needed to read from SSM.",
        example="eu-central-1",
        origins=FROM_TASK_DEFINITION,
        used_by=("config/ssm.py",),
        pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$",
        validate_default=True,
    )

    @field_validator("ssm_params_path", "aws_default_region")
    @classmethod
    def _needed_to_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("read_ssm_params"):
            raise PydanticCustomError("missing", "Field required")
        return value


class WebServer(Variables):
    """What gunicorn.conf.py needs, before the app is loaded."""

    internal_port_num: int = variable(
        "DJANGO_INTERNAL_PORT_NUM",
        8000,
        description="Port inside the container on which the app listens.",
        example="8000",
        origins=FROM_TASK_DEFINITION,
        used_by=("gunicorn.conf.py", "config/healthcheck.py"),
        ge=1,
        le=65535,
    )


class Environment(WebServer, ParameterStore):
    """The values, as the two containers have them: what has no default must be set."""

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


def read(kind: type[Environment] = Environment) -> Environment:
    """The values of this process's environment. Raises BadEnvironment naming every variable that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        wrong = problems_of(error)
    raise BadEnvironment(complaint(wrong))


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


def describe() -> list[dict[str, Any]]:
    """The registry as data: one entry a variable, in the order of declaration. Reads no value."""
    return variables.describe(Environment)
