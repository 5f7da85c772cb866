"""`[tool.greenroom]` of pyproject.toml: this project's facts, checked whole before anything is touched.

An error names the path (`tool.greenroom.rehearsal.probed_tables: ...`). Durations carry their unit in the name.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.errors import GreenroomError


class Table(BaseModel):
    """A TOML table: unknown keys are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseVariables(Table):
    """Names of the environment variables through which the project is told its database; None: not told that way."""

    host: str | None = None
    port: str | None = None
    name: str | None = None
    user: str | None = None
    password: str | None = None
    sslmode: str | None = None


class Project(Table):
    """The Django project that is rehearsed."""

    directory: Path = Path("app")
    settings: str | None = Field(None, description="settings module; None: as manage.py's environment has it")
    python: str | None = Field(None, description="interpreter with the app's dependencies; None: the running one")
    database: str = Field("default", description="alias in DATABASES")
    environment: dict[str, str] = Field({}, description="further variables for the app's process")
    database_variables: DatabaseVariables | None = None
    database_url_variable: str | None = None


class Demo(Table):
    """How `migrate-rehearse` without a source makes its own: an earlier state of the app, and data."""

    migrate_to: list[str] = Field(min_length=1, description="app.migration, each")
    load: list[str] = Field(min_length=1, description="manage.py command and arguments")


class RehearsalDefaults(Table):
    """What a rehearsal uses where no option says otherwise."""

    budget_read_ms: float = Field(1000, gt=0)
    budget_write_ms: float = Field(2000, gt=0)
    timeout_seconds: float = Field(3600, gt=0)
    probed_tables: int = Field(8, ge=0, le=64)
    report_dir: Path = Path("build/rehearsals")
    lease_hours: float = Field(24, gt=0)


class Config(Table):
    """All of `[tool.greenroom]`; `root` is the directory of the pyproject.toml that it came from."""

    root: Path
    project: Project = Project()
    demo: Demo | None = None
    rehearsal: RehearsalDefaults = RehearsalDefaults()


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
        return Config(root=root, **table)
    except ValidationError as error:
        wrong = [f"tool.greenroom.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise GreenroomError("; ".join(wrong), remedy) from error


def find_root(start: Path) -> Path:
    """The nearest directory at or above `start` with a pyproject.toml; `start` itself when there is none."""
    start = start.resolve()
    return next((d for d in [start, *start.parents] if (d / "pyproject.toml").is_file()), start)
