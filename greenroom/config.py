"""`[tool.greenroom]` of pyproject.toml: this project's facts, checked whole before anything is touched.

Here are the project, environments and databases, and how all is read; tables.py has the tables that need no other.

An error names the path (`tool.greenroom.rehearsal.probed_tables: ...`). Durations carry their unit in the name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from greenroom.errors import GreenroomError, closest
from greenroom.tables import Demo, ImageFacts, RehearsalDefaults, ReleaseFacts, Smoke, Snapshots, Table


class DatabaseVariables(Table):
    """Names of the environment variables through which the project is told its database; None: not told that way."""

    host: str | None = None
    port: str | None = None
    name: str | None = None
    user: str | None = None
    password: str | None = None
    sslmode: str | None = None


class InImage(Table):
    """How the project runs in an image that ships: what production's environment would tell it, and our own secrets."""

    settings: str | None = Field(None, description="settings module; None: as the image has it")
    directory: str | None = Field(None, description="where manage.py stands; None: where the image's programs start")
    python: str = Field("python", min_length=1, description="the image's interpreter")
    environment: dict[str, str] = Field({}, description="further variables for the app's process")
    generated: list[str] = Field([], description="variables that get a random value: secret keys")


class Project(Table):
    """The Django project that is rehearsed."""

    directory: Path = Path("app")
    settings: str | None = Field(None, description="settings module; None: as manage.py's environment has it")
    python: str | None = Field(None, description="interpreter with the app's dependencies; None: the running one")
    database: str = Field("default", description="alias in DATABASES")
    environment: dict[str, str] = Field({}, description="further variables for the app's process")
    database_variables: DatabaseVariables | None = None
    database_url_variable: str | None = None
    image: InImage = InImage()
    registry: Path = Field(
        Path("config/environment.py"), description="where the app declares its variables, from the directory"
    )


class Environment(Table):
    """A deployed environment, by the name that `--environment` gives it."""

    name: str = ""
    ssm_path: str = Field(pattern=r"^(/[A-Za-z0-9_.-]+){1,14}$", description="its variables' parameters are below it")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$", description="of AWS")
    account: str = Field(pattern=r"^[0-9]{12}$", description="of AWS; another one is refused")
    profile: str | None = Field(None, description="of the AWS configuration")
    kms_key: str | None = Field(None, description="encrypts new SecureStrings; None: AWS's own key")
    release: ReleaseFacts = ReleaseFacts()

    @property
    def place(self) -> str:
        """What is shown before anything is done there."""
        return f"{self.name}: account {self.account}, {self.region}, {self.ssm_path}"


class Target(Table):
    """A database whose data is rehearsed on, by the name that `--target` gives it: what all kinds have in common."""

    name: str = Field(min_length=1, description="of the database on its server")
    user: str = Field(min_length=1)
    password_variable: str | None = Field(None, description="environment variable that holds the password")
    password_parameter: str | None = Field(None, description="SSM parameter that holds it")
    sslmode: str | None = None
    sslrootcert: str | None = Field(
        None, description="file with the certificate of the server's authority, from pyproject.toml's directory; system"
    )
    region: str | None = Field(None, description="of AWS; None: as the AWS configuration has it")
    profile: str | None = Field(None, description="of the AWS configuration")
    via: str | None = Field(
        None, min_length=1, description="VPN host: USER@HOST, USER@HOST:PORT or an alias of ~/.ssh/config"
    )
    exclude_data: list[str] = Field(
        [], description="tables whose rows are not copied: audit_*, app.audit_*; and large objects"
    )
    masks: dict[str, str] = Field({}, description="[schema.]table.column = kind, or sql:EXPRESSION")
    sensitive: bool = Field(
        False,
        description="no copy outlives its rehearsal before every text column of a masked table has a rule, "
        "or with large objects",
    )
    cache: bool | None = Field(None, description="keep a snapshot of it here; None: unless it is sensitive")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_variable and self.password_parameter:
            raise ValueError("password_variable and password_parameter are two sources of one password")
        return self

    @field_validator("sslrootcert")
    @classmethod
    def _from_root(cls, given: str | None, info: ValidationInfo) -> str | None:
        """`system` is libpq's word for the authorities that the machine trusts."""
        root = (info.context or {}).get("root")
        if not (given and given != "system" and root):
            return given
        try:
            return str(root / Path(given).expanduser())
        except RuntimeError:
            raise ValueError(f"{given} begins with a user whose home is not known") from None

    @property
    def tls(self) -> dict[str, str]:
        """libpq's parameters for TLS."""
        given = {"sslmode": self.sslmode, "sslrootcert": self.sslrootcert}
        return {name: value for name, value in given.items() if value}

    @property
    def cached(self) -> bool:
        """Whether a restored copy may stay here as a snapshot."""
        return not self.sensitive if self.cache is None else self.cache


class PostgresTarget(Target):
    """A server that is reached by its address."""

    kind: Literal["postgresql"] = "postgresql"
    host: str = Field(min_length=1)
    port: int = Field(5432, ge=1, le=65535)
    disk_gb: float | None = Field(
        None, gt=0, description="the server's whole disk, 10^9 bytes: is there room for a branch?"
    )


class EngineTarget(Target):
    """What AWS copies: a whole volume, which is not restored here."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.exclude_data:
            raise ValueError("exclude_data leaves rows out of a dump, and this engine copies all of them: mask them")
        if self.cache is not None:
            raise ValueError("cache keeps what is restored here, and this engine's copy never is")
        return self


class AuroraTarget(EngineTarget):
    """An Aurora cluster, copied by a copy-on-write clone of its volume."""

    kind: Literal["aurora-clone"]
    cluster: str = Field(min_length=1, description="identifier of the source cluster")
    instance_class: str = Field("db.r6g.large", description="of the clone's one instance")
    security_groups: list[str] = Field([], description="of the clone; none: the source's")
    parameter_group: str | None = Field(None, description="of the clone's cluster; None: the source's")


class RdsTarget(EngineTarget):
    """An RDS instance, restored from a snapshot."""

    kind: Literal["rds-snapshot"]
    instance: str = Field(min_length=1, description="identifier of the source instance")
    snapshot: Literal["newest", "fresh"] = Field("newest", description="the newest that there is, or one made now")
    instance_class: str | None = Field(None, description="of the restored one; None: the source's")
    security_groups: list[str] = Field([], description="of the restored one; none: the source's")
    parameter_group: str | None = Field(None, description="of the restored one; None: the source's")


class CommandTarget(Table):
    """A copy that a command makes: DBLab, Neon and the like."""

    kind: Literal["command"]
    acquire: list[str] = Field(min_length=1, description="argv; its last line of output is the copy's URL")
    release: list[str] = Field(min_length=1, description="argv that ends the copy; {name} stands for the copy's name")
    timeout_seconds: float = Field(900, gt=0)
    masks: dict[str, str] = Field({}, description="[schema.]table.column = kind, or sql:EXPRESSION")
    sensitive: bool = Field(False, description="no copy outlives its rehearsal")


KINDS = ("postgresql", "aurora-clone", "rds-snapshot", "command")


def _kind(given: Any) -> str:
    return str(given.get("kind", "postgresql") if isinstance(given, dict) else getattr(given, "kind", "postgresql"))


AnyTarget = Annotated[
    Annotated[PostgresTarget, Tag("postgresql")]
    | Annotated[AuroraTarget, Tag("aurora-clone")]
    | Annotated[RdsTarget, Tag("rds-snapshot")]
    | Annotated[CommandTarget, Tag("command")],
    Discriminator(_kind, "kind", f"kind is one of {', '.join(KINDS)}"),
]


class Config(Table):
    """All of `[tool.greenroom]`; `root` is the directory of the pyproject.toml that it came from."""

    root: Path
    project: Project = Project()
    demo: Demo | None = None
    rehearsal: RehearsalDefaults = RehearsalDefaults()
    databases: dict[str, AnyTarget] = {}
    environments: dict[str, Environment] = {}
    image: ImageFacts = ImageFacts()
    snapshots: Snapshots = Snapshots()
    smoke: Smoke = Smoke()

    @field_validator("databases", "environments")
    @classmethod
    def _can_be_typed(cls, given: Any) -> Any:
        if wrong := [name for name in given if not name or name.startswith("-")]:
            raise ValueError(f'"{wrong[0]}" is no name that can be typed behind an option')
        return given

    def target(self, name: str) -> AnyTarget:
        """The database of `--target NAME`. Raises GreenroomError naming those that there are."""
        if name in self.databases:
            return self.databases[name]
        needed = "host, name, user, via"
        raise self._unknown("database", name, self.databases, f"into {self.root / 'pyproject.toml'}: {needed}")

    def environment(self, name: str) -> Environment:
        """The deployed environment of `--environment NAME`. Raises GreenroomError naming those that there are."""
        if name in self.environments:
            return self.environments[name].model_copy(update={"name": name})
        raise self._unknown("environment", name, self.environments, "there: ssm_path, region, account")

    def _unknown(self, kind: str, name: str, known: Iterable[str], needed: str) -> GreenroomError:
        table, names = f"tool.greenroom.{kind}s", sorted(known)
        called = f"is called {name} in" if name else "has an empty name in"
        near = f"Did you mean {meant}? Else write" if (meant := closest(name, names)) else "Write"
        return GreenroomError(
            f"no {kind} {called} [{table}] (there: {', '.join(names) or 'none'}).",
            f"{near} [{table}.{name or 'NAME'}] {needed}.",
        )


def load(start: Path | None = None) -> Config:
    """The configuration of the nearest pyproject.toml at or above `start` (default: here); without one, the defaults.

    Raises GreenroomError naming the path of each wrong value.
    """
    root = find_root(start or Path.cwd())
    file = root / "pyproject.toml"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except ValueError as error:  # not TOML, or not UTF-8
        raise GreenroomError(f"{file} is not valid TOML: {error}") from error
    return parse(document.get("tool", {}).get("greenroom", {}), root)


def parse(table: dict[str, Any], root: Path) -> Config:
    """Check the content of `[tool.greenroom]`."""
    remedy = f"Correct it in {root / 'pyproject.toml'}."
    if "root" in table:
        raise GreenroomError("tool.greenroom.root: it is where the file stands, and cannot be set", remedy)
    try:
        return Config.model_validate({"root": root, **table}, context={"root": root})
    except ValidationError as error:
        wrong = [f"tool.greenroom.{_path(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise GreenroomError("; ".join(wrong), remedy) from error


def _path(location: tuple[int | str, ...]) -> str:
    """Dotted, as in the file: pydantic names a database's kind after its name."""
    parts = [str(part) for part in location]
    return ".".join([*parts[:2], *parts[3:]] if parts[0] == "databases" else parts)


def find_root(start: Path) -> Path:
    """The nearest directory at or above `start` with a pyproject.toml; `start` itself when there is none."""
    start = start.resolve()
    return next((d for d in [start, *start.parents] if (d / "pyproject.toml").is_file()), start)
