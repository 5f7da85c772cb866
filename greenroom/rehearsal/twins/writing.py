"""The agent writes the twins: real migration files, by Django's own writer, in the app's own interpreter."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from greenroom.errors import GreenroomError
from greenroom.rehearsal import document as doc
from greenroom.rehearsal.agent_process import Event, hear
from greenroom.rehearsal.drills import Stage
from greenroom.rehearsal.launch import launch, running
from greenroom.rehearsal.twins.wanted import Wanted

LONGEST = 300.0  # seconds


@dataclass
class Written:
    """A twin with its files' directory, and the package in front of which that goes; no files: it was not written."""

    twin: doc.Twin
    package: str = ""
    directory: Path = Path()
    files: list[doc.TwinFile] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """As `app.name`."""
        app = self.twin.migration.partition(".")[0]
        return [f"{app}.{Path(file.path).stem}" for file in self.files]


def write(stage: Stage, asked: list[Wanted]) -> list[Written]:
    """Have the twins written for all these. Raises GreenroomError when the app does not come up again.

    It looks at the migrated copy, whose catalogue knows the names that the server has given, and changes nothing there.
    """
    directory = stage.request.performed
    assert directory is not None, "a twin was wished"
    _make_room(directory, asked, 0o777 if stage.request.image else 0o700)
    start = launch(stage.request, stage.copy)
    by_migration = {one.migration: one for one in asked}
    operations = {one.migration: {str(at): hazards for at, hazards in one.operations.items()} for one in asked}
    with running(start) as agent:
        agent.say({**start.request, "twins": {"directory": str(directory), "wanted": operations}})
        *events, last = hear(agent, "the writing of the safe twin", LONGEST)
    if last["event"] == "failed":
        raise GreenroomError(f"The safe twin could not be written: the app failed with {last['exception']}.")
    events = [event for event in events if event["event"] == "twin"]
    return [_written(event, by_migration[f"{event['app']}.{event['name']}"], directory) for event in events]


def _make_room(directory: Path, asked: list[Wanted], mode: int) -> None:
    """Directories of ours for the files: those that a container's user made nobody here could remove."""
    for app in {one.migration.partition(".")[0] for one in asked}:
        place = directory / "files" / app
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(mode)


def _written(event: Event, asked: Wanted, directory: Path) -> Written:
    place = directory / "files" / event["app"]
    left = [f"{one['why']}." for one in event["left"]]
    twin = doc.Twin(migration=asked.migration, hazards=asked.hazards, status="not written", left=left)
    if event["reason"]:
        twin.reason = f"It cannot be written mechanically, because {event['reason']}."
        twin.left = []
        return Written(twin)
    files = [
        doc.TwinFile(
            path=f"{event['app']}/{name}",
            replaces=name == f"{event['name']}.py",
            text=(place / name).read_text(encoding="utf-8"),
        )
        for name in event["files"]
    ]
    return Written(twin, event["package"], place, files)
