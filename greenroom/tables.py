"""What every table of `[tool.greenroom]` is, and those that need no other: how something is done where no option says.

config.py has the project, environments and databases.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

REPOSITORY = r"^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$"


class Table(BaseModel):
    """A TOML table: unknown keys are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageFacts(Table):
    """The image that ships: `[tool.greenroom.image]`. Paths are from pyproject.toml's directory."""

    name: str = Field("app", pattern=REPOSITORY, description="of the image on this machine")
    repository: str | None = Field(None, pattern=REPOSITORY, description="in ECR; None: the image's name")
    dockerfile: Path = Path("app/Dockerfile")
    context: Path = Path(".")
    pins: Path = Field(Path("requirements/app.txt"), description="the dependencies, as pip and uv pin them")
    layers: dict[str, str] = Field({}, description="name of a group of layers = the path that its COPY leads to")
    taskdef: Path = Field(Path("ci/taskdef.json"), description="template of the task definition")
    appspec: Path = Field(Path("ci/appspec.yaml"), description="template of CodeDeploy's file")
    release_dir: Path = Field(Path("build/release"), description="where the three release files are written")

    @property
    def stored_as(self) -> str:
        """The name of its repository."""
        return self.repository or self.name


class Demo(Table):
    """How `migrate-rehearse` without a source makes its own: an earlier state of the app, and data."""

    migrate_to: list[str] = Field(min_length=1, description="app.migration, each")
    load: list[str] = Field(min_length=1, description="manage.py command and arguments")
    load_little: list[str] = Field(
        [], description="the same for each `serve` and `up --demo`: a little, at the newest state, where there is none"
    )


class Snapshots(Table):
    """Restored copies that are kept here, so that the next rehearsal starts from a clone."""

    limit_gb: float = Field(20, ge=0, description="10^9 bytes of disk; the oldest go first; 0: none is kept")
    max_age_hours: float = Field(24, gt=0, description="an older one of a target is made again")


class Accepted(Table):
    """Something that the running release will not be able to do, and why that is no harm."""

    hazard: str = Field(pattern="^C[0-9]{2}$")
    model: str = Field(min_length=1, description="app.Model")
    reason: str = Field(min_length=1, description="shown in the report")


class RehearsalDefaults(Table):
    """What a rehearsal uses where no option says otherwise."""

    budget_read_ms: float = Field(1000, gt=0)
    budget_write_ms: float = Field(2000, gt=0)
    timeout_seconds: float = Field(3600, gt=0)
    probed_tables: int = Field(8, ge=0, le=64)
    report_dir: Path = Path("build/rehearsals")
    lease_hours: float = Field(24, gt=0, description="how long a copy may stand when nobody drops it")
    base: str | None = Field(None, description="the running release, as git knows it; None: the newest tag before HEAD")
    accepted: list[Accepted] = []
    static_hints: bool = Field(True, description="ask squawk about the migrations' SQL")
    kept_hours: float = Field(168, gt=0, description="the same, of one that was kept on purpose")


class Smoke(Table):
    """Pages of the app that `smoke` asks for, as paths."""

    public_pages: list[str] = Field(["/login/"], min_length=1, description="everybody sees them")
    member_pages: list[str] = Field(["/"], min_length=1, description="they lead to the log-in")
    login_page: str = "/login/"


class ReleaseFacts(Table):
    """Where an environment's releases go: `[tool.greenroom.environments.NAME.release]`; None: IMAGE-NAME."""

    cluster: str | None = Field(None, min_length=1, description="of ECS")
    service: str | None = Field(None, min_length=1, description="of that cluster")
    application: str | None = Field(None, min_length=1, description="of CodeDeploy")
    deployment_group: str | None = Field(None, min_length=1, description="of that application")
    bucket: str | None = Field(
        None, min_length=3, description="of rehearsal documents and records; None: IMAGE-NAME-rehearsals-ACCOUNT"
    )
    python: str = Field("python", min_length=1, description="the interpreter in the image")
    migration_minutes: float = Field(60, gt=0, description="the longest that the one-off task may take")
    deployment_minutes: float = Field(60, gt=0, description="the longest that a deployment is watched")
