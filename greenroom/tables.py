"""What every table of `[tool.greenroom]` is, and those of image, `smoke` and release; config.py has the others."""

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
