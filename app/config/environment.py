"""The registry: every environment variable that the app knows, declared once.

Settings read their values by values.py and from nowhere else; all documentation of variables is made from `describe()`.
Before adding a variable, look here for one to reuse (`./inv env-find WORD`). An empty value counts as not set.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from config import variables
from config.variables import FROM_TASK_DEFINITION, HostNames, Variables, WebOrigins, admits, variable, web_origin

PLAIN_SECRET_KEY = "plain-python-only: sessions signed with this are worth nothing 0123456789"  # noqa: S105

DIFFERENT_CHARACTERS = 5

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


class SettingsModule(Variables):
    """What manage.py and wsgi.py need, before Django looks for its settings."""

    settings_module: str | None = variable(
        "DJANGO_SETTINGS_MODULE",
        None,
        description="Settings module: config.settings.prod in both containers, config.settings.test in plain Python.",
        example="config.settings.prod",
        origins=FROM_TASK_DEFINITION,
        used_by=("manage.py", "config/wsgi.py"),
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
    )


class Environment(SettingsModule, WebServer, ParameterStore):
    """All of them, as the two containers have them: what has no default must be set."""

    secret_key: SecretStr = variable(
        "DJANGO_SECRET_KEY",
        plain=PLAIN_SECRET_KEY,
        description="Signs sessions and tokens, 50 random characters or more; everybody is logged out when it changes.",
        example="the output of: openssl rand -base64 48",
        used_by=("SECRET_KEY",),
        min_length=50,
    )
    allowed_hosts: HostNames = variable(
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
        description="How far the connection to the database insists on TLS, in libpq's words. verify-full needs the "
        "server's root certificates in the image, in the file that PGSSLROOTCERT names.",
        example="require",
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

    @field_validator("secret_key")
    @classmethod
    def _random(cls, value: SecretStr) -> SecretStr:
        """As Django's own check security.W009 has it."""
        known = value.get_secret_value()
        if len(set(known)) < DIFFERENT_CHARACTERS or known.startswith("django-insecure-"):
            raise ValueError("it is not random")
        return value

    @field_validator("external_host_name")
    @classmethod
    def _allowed(cls, value: str, info: ValidationInfo) -> str:
        """Health checks are answered under any name: without this, all else would be refused and nobody be told."""
        if not any(admits(pattern, value) for pattern in info.data.get("allowed_hosts", ["*"])):
            raise ValueError("DJANGO_ALLOWED_HOSTS does not admit it, so that every page would be refused")
        return value

    @property
    def external_origin(self) -> str:
        """Scheme, host and port as a browser writes them in the Origin header."""
        return web_origin(self.external_protocol, self.external_host_name, self.external_port_num)


def describe() -> list[dict[str, Any]]:
    """The registry as data: one entry a variable, in the order of declaration. Reads no value."""
    return variables.describe(Environment)
