"""Why a migration did not finish, as data: never the exception's message, which can quote the rows it met."""

from __future__ import annotations

import re

from greenroom.rehearsal.agent_process import Event
from greenroom.rehearsal.document import Frame, RehearsalError
from greenroom.rehearsal.observer import Hang
from greenroom.rehearsal.recorder import Recorder

INSUFFICIENT_PRIVILEGE = "42501"
_CONCURRENT_INDEX = re.compile(r"(?:CREATE (?:UNIQUE )?|DROP )INDEX CONCURRENTLY\b", re.I)


def failure(
    recorder: Recorder, hang: Hang | None, timeout_seconds: float, exit_code: int | None
) -> RehearsalError | None:
    """What went wrong, or None."""
    if hang:
        return _hung(recorder, hang, timeout_seconds)
    if recorder.failure:
        return _raised(recorder, recorder.failure)
    if not recorder.done and not recorder.halted:
        return _died(recorder, exit_code)
    return None


def _applied(recorder: Recorder) -> list[str]:
    return [f"{run.app}.{run.name}" for run in recorder.runs if run.status == "applied"]


def _raised(recorder: Recorder, event: Event) -> RehearsalError:
    return RehearsalError(
        kind="migration failed",
        exception=event["exception"],
        sqlstate=event.get("sqlstate"),
        migration=recorder.migration,
        statement=recorder.unfinished,
        operation=_operation(event),
        table=event.get("table"),
        column=event.get("column"),
        constraint=event.get("constraint"),
        applied=_applied(recorder),
        frames=[Frame(**frame) for frame in event.get("frames", ())],
        advice=_why(recorder, event),
    )


def _why(recorder: Recorder, event: Event) -> str:
    if event["exception"].endswith("Refused"):
        return _closed(recorder)
    if event["exception"].endswith("CommandError") and not recorder.runs:
        return "Django refuses to begin; `manage.py migrate` in the project says why."
    if event.get("sqlstate") == "0A000" and _CONCURRENT_INDEX.match(recorder.unfinished or ""):
        return "CONCURRENTLY is refused on a partitioned table: each partition's index is built so, then the table's."
    if event.get("sqlstate") == INSUFFICIENT_PRIVILEGE and recorder.unfinished and recorder.server_wide:
        what = f"Here the role may not change what belongs to the whole server ({recorder.server_wide})"
        return f"{what}; a dump does not tell whether it may in production."
    return _advice(event.get("sqlstate"))


def _closed(recorder: Recorder) -> str:
    """What the app wanted to reach was closed by greenroom, and the migration did not do without."""
    what = recorder.refused[-1] if recorder.refused else "something outside of the copy"
    return f"It needs {what}, which is closed while it migrates; --allow-network opens all but other databases."


def _advice(sqlstate: str | None) -> str:
    """By the SQLSTATE's class: 22 and 23 are about what is in the rows (PostgreSQL's manual, appendix A)."""
    if sqlstate and sqlstate[:2] in ("22", "23"):
        return "The data has rows that this migration does not expect: look at them on a copy kept with --keep."
    return "The frames and the statement show where it stopped; --keep leaves the copy as it was then."


def _hung(recorder: Recorder, hang: Hang, timeout_seconds: float) -> RehearsalError:
    where = (
        ""
        if recorder.unfinished or hang.waiting_for
        else " No statement was running: the time went into the app's own code."
    )
    return RehearsalError(
        kind="timeout",
        migration=recorder.migration,
        statement=recorder.unfinished,
        applied=_applied(recorder),
        waiting_for=hang.waiting_for,
        advice=f"It was stopped after {timeout_seconds:g} s; --timeout SECONDS allows more.{where}",
    )


def _died(recorder: Recorder, exit_code: int | None) -> RehearsalError:
    how = f"signal {-exit_code}" if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"
    return RehearsalError(
        kind="agent died",
        migration=recorder.migration,
        statement=recorder.unfinished,
        applied=_applied(recorder),
        advice=f"The app's process ended with {how} in the middle of the migration: was it out of memory?",
    )


def _operation(event: Event) -> str | None:
    operation = event.get("operation")
    return str(operation) if operation is not None else None
