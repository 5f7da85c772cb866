"""What every table of `[tool.greenroom]` is, and the table of the image; greenroom/config.py has the others."""

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
