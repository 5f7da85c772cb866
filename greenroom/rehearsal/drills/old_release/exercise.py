"""Running a release's own code on a clone: what it could do and what not, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from greenroom.copies.acquiring import Acquired
from greenroom.errors import GreenroomError
from greenroom.rehearsal.agent_process import AgentProcess, Event, hear, started
from greenroom.rehearsal.drills.old_release.base import Base
from greenroom.rehearsal.drills.old_release.container import agent_in
from greenroom.rehearsal.drills.stage import Stage
from greenroom.rehearsal.launch import launch
from greenroom.rehearsal.recorder import label

LONGEST = 600.0  # seconds


@dataclass(frozen=True)
class Try:
    """One action of one model; `exception` is None where it went well. `scans` are tables read from end to end."""

    model: str
    table: str
    action: str
    columns: tuple[str, ...] = ()
    exception: str | None = None
    sqlstate: str | None = None
    column: str | None = None
    constraint: str | None = None
    scans: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """`SQLSTATE 42703`, or the exception's name where the server said nothing."""
        return f"SQLSTATE {self.sqlstate}" if self.sqlstate else str(self.exception)


Asked = Literal["try", "write", "understand"]


def exercised(stage: Stage, base: Base, clone: Acquired, asked: Asked) -> list[Try]:
    """What came of it when it is through. Raises GreenroomError when it does not come up."""
    with exercising(stage, base, clone, asked) as result:
        return result()


@contextmanager
def exercising(stage: Stage, base: Base, clone: Acquired, asked: Asked) -> Iterator[Callable[[], list[Try]]]:
    """Let the release's code begin: `try` everything on the clone and take it back; or `write` what it may write, and
    leave it there; or `understand` the newest rows. The result waits for its end, and raises GreenroomError."""
    start = launch(stage.request.of(base.project), clone)
    with ExitStack() as stack:
        words: list[str | Path] = []
        if base.image:
            words = stack.enter_context(agent_in(base.image, start.environment))
            start.request["project"] = "."  # where the image's own command starts
        secrets = [address.password.reveal() for address in (clone.address, clone.admin) if address.password]
        agent = stack.enter_context(
            started(start.python, start.directory, start.environment, redact=secrets, words=words)
        )
        agent.say({**start.request, "exercise": asked})
        yield lambda: [_try(event) for event in _hear(agent, base) if event["event"] == "tried"]


def _hear(agent: AgentProcess, base: Base) -> list[Event]:
    heard = hear(agent, f"{base.name}'s exercise", LONGEST)
    if heard[-1]["event"] == "failed":
        message = heard[-1].get("message") or heard[-1]["exception"]
        raise GreenroomError(f"{base.name} does not start ({base.how}): {agent.redact(str(message))}")
    return heard


def _try(event: Event) -> Try:
    return Try(
        model=event["model"],
        table=label(event["table"].strip('"').replace('"."', ".")),
        action=event["action"],
        columns=tuple(event["columns"]),
        exception=event["exception"],
        sqlstate=event["sqlstate"],
        column=event["column"],
        constraint=event["constraint"],
        scans=tuple(event["scans"]),
    )
