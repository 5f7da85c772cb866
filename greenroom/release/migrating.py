"""Migrating once, before the cut-over, as a one-off task of the image that ships, by a rehearsed plan and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.release import one_off
from greenroom.release.doctor import Subject
from greenroom.release.files import short
from greenroom.release.one_off import Ended, Wanted

NOT_REHEARSED, NOT_ALONE = 3, 4  # exit codes of greenroom/release/inside.py
LARGEST = 8192  # characters of a task's overrides


def command(subject: Subject) -> list[str]:
    """What the container runs instead of the web server."""
    program = (Path(__file__).parent / "inside.py").read_text(encoding="utf-8")
    return [subject.where.environment.release.python, "-c", program, *subject.gate.plans]


def migrate(subject: Subject, task_definition: str, say: Callable[[str], None]) -> None:
    """Run it to its end, its log going to `say`. Raises GreenroomError with the reason where it did not migrate."""
    where, guard = subject.where, subject.guard
    container, _ = subject.files.container
    wanted = Wanted(task_definition, container, command(subject), subject.service)
    task = one_off.start(guard, where, wanted)
    say(f"one-off task {short(task)}")
    minutes = where.environment.release.migration_minutes
    ended = one_off.follow(guard, where, wanted, task, lambda line: say(f"  {line}"), minutes=minutes)
    _refuse_failed(subject, ended)


def _refuse_failed(subject: Subject, ended: Ended) -> None:
    if ended.exit_code == 0:
        return
    last = next((line for line in reversed(ended.log) if line.strip()), "")
    if ended.exit_code == NOT_REHEARSED:
        raise GreenroomError(
            "not migrated: the database is not where a rehearsal of this image began. "
            f"{last.removeprefix('greenroom: ')}",
            subject.gate.remedy,
            code=ANSWER_IS_NO,
        )
    if ended.exit_code == NOT_ALONE:
        raise GreenroomError("not migrated: another process migrates this database.", "Wait for it, then run again.")
    code = "never ran" if ended.exit_code is None else f"ended with {ended.exit_code}"
    raise GreenroomError(
        f"not migrated: the one-off task {ended.id} {code}: {ended.reason}."
        + (f" Its last words: {last}" if last else ""),
        f"{ended.remedy} The traffic was not touched.",
        code=ANSWER_IS_NO,
    )
