"""Running a release's own code on a clone: what it could do and what not, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from greenroom.copies.acquiring import Acquired
from greenroom.errors import GreenroomError
from greenroom.rehearsal.agent_process import AgentProcess, Event, hear
from greenroom.rehearsal.drills.old_release.base import Base
from greenroom.rehearsal.drills.stage import Stage
from greenroom.rehearsal.launch import launch, running
from greenroom.rehearsal.recorder import label

LONGEST = 600.0  # seconds
Found = TypeVar("Found")


@dataclass(frozen=True)
class Try:
    """One action of one model; `exception` is None where it went well. `scans` are tables read from end to end.

    `table` is where it was before the migration, `place` where this try found it. `columns` are those of its table,
    `kinds` the fields' classes by column, `inherited` the columns of its parents' tables; `at` is the table that the
    server names in its refusal. `own`: the model is the project's, not an installed package's.
    """

    model: str
    table: str
    action: str
    managed: bool = True
    own: bool = True
    columns: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exception: str | None = None
    sqlstate: str | None = None
    at: str | None = None
    column: str | None = None
    constraint: str | None = None
    scans: tuple[str, ...] = ()
    place: str = ""

    @property
    def why(self) -> str:
        """`SQLSTATE 42703`, or the exception's name where the server said nothing."""
        return f"SQLSTATE {self.sqlstate}" if self.sqlstate else str(self.exception)

    @property
    def elsewhere(self) -> str | None:
        """Another table than the model's own that refused it: that of a parent, or of a row that it needs."""
        return self.at if self.at and self.at != self.place else None


Keys = Mapping[str, list[Any]]  # of rows, by table; they stay between the two releases


def tried(stage: Stage, base: Base, clone: Acquired) -> AbstractContextManager[Callable[[], list[Try]]]:
    """Let the release's code try everything on the clone and take it back. The result waits for its end, and raises
    GreenroomError; so does the block where it cannot be started."""
    return _exercising(stage, base, clone, {"exercise": "try"}, _tries)


def written(stage: Stage, clone: Acquired) -> Keys:
    """The new release writes what it may write, and leaves it there. Raises GreenroomError."""
    new = Base("the new release", stage.request.project, "as it is", stage.request.image)
    with _exercising(stage, new, clone, {"exercise": "write"}, _keys) as result:
        return result()


def understood(stage: Stage, base: Base, clone: Acquired, rows: Keys) -> list[Try]:
    """What came of reading these rows. Raises GreenroomError."""
    asked = {"exercise": "understand", "written": rows}
    with _exercising(stage, base, clone, asked, _tries) as result:
        return result()


@contextmanager
def _exercising(
    stage: Stage, base: Base, clone: Acquired, asked: Mapping[str, object], found: Callable[[list[Event]], Found]
) -> Iterator[Callable[[], Found]]:
    """Let the release's code begin; the result waits for its end."""
    start = launch(stage.request.of(base.project, base.image), clone)
    with running(start) as agent:
        agent.say({**start.request, "origin": base.origin, **asked})
        yield lambda: found(_hear(agent, base))


def _hear(agent: AgentProcess, base: Base) -> list[Event]:
    heard = hear(agent, f"{base.name}'s exercise", LONGEST)
    last = heard[-1]
    if last["event"] == "failed":
        message = agent.redact(str(last.get("message") or last["exception"]))
        if last["during"] == "origin":
            raise GreenroomError(f"{base.name}'s code was not what ran: {message}")
        raise GreenroomError(f"{base.name} does not start ({base.how}): {message}")
    return heard


def _keys(heard: list[Event]) -> Keys:
    found: dict[str, list[Any]] = {}
    for event in heard:
        if event["event"] == "wrote":
            found.setdefault(event["table"], []).extend(event["keys"])
    return found


def _tries(heard: list[Event]) -> list[Try]:
    return [_try(event) for event in heard if event["event"] == "tried"]


def _try(event: Event) -> Try:
    return Try(
        model=event["model"],
        table=_table(event["table"]),
        place=_table(event["table"]),
        action=event["action"],
        managed=event["managed"],
        own=event["own"],
        columns=tuple(event["columns"]),
        kinds=event["kinds"],
        inherited={_table(table): tuple(columns) for table, columns in event["inherited"].items()},
        exception=event["exception"],
        sqlstate=event["sqlstate"],
        at=event["at"] and label(event["at"]),
        column=event["column"],
        constraint=event["constraint"],
        scans=tuple(map(label, event["scans"])),
    )


def _table(name: str) -> str:
    return label(name.strip('"').replace('"."', "."))
