"""Migrating once, before the cut-over, as a one-off task of the image that ships, by a rehearsed plan and no other."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.release import one_off
from greenroom.release.doctor import Subject
from greenroom.release.one_off import Ended, Wanted

NOT_REHEARSED, NOT_ALONE = 3, 4  # exit codes of greenroom/release/inside.py
OURS, PENDING = "greenroom: ", "greenroom: Pending: "  # its lines; the second is the only one that is not its last
LARGEST = 8192  # characters of a task's overrides, with the JSON around them


@cache
def program() -> str:
    """inside.py without its docstrings: what it says to readers does not fit."""
    tree = ast.parse((Path(__file__).parent / "inside.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def command(python: str, plans: list[str]) -> list[str]:
    """What the container runs instead of the web server."""
    return [python, "-c", program(), *plans]


def migrate(subject: Subject, task_definition: str, say: Callable[[str], None]) -> None:
    """Run it to its end, its log going to `say`. Raises GreenroomError with the reason where it did not migrate."""
    where, release = subject.where, subject.where.environment.release
    container, _ = subject.files.container
    words = command(release.python, subject.gate.plans)
    length = len(json.dumps(one_off.overrides(container, words)))
    if length > LARGEST:
        raise GreenroomError(f"the one-off task's command has {length} characters, and ECS takes {LARGEST}.", "")
    wanted = Wanted(task_definition, container, words, subject.service, last=_is_last)
    ended = one_off.run(subject.guard, where, wanted, lambda line: say(f"  {line}"), minutes=release.migration_minutes)
    _refuse_failed(subject, ended)


def _is_last(line: str) -> bool:
    return line.startswith(OURS) and not line.startswith(PENDING)


def _refuse_failed(subject: Subject, ended: Ended) -> None:
    ours = next((line.removeprefix(OURS) for line in reversed(ended.log) if line.startswith(OURS)), None)
    last = next((line for line in reversed(ended.log) if line.strip()), "")
    if ended.exit_code == 0:
        if ended.log and ours is None:
            raise GreenroomError(
                f"not migrated: the image did not run what it was told to, and ended with 0. Its last words: {last}",
                'An ENTRYPOINT has to pass its arguments on (exec "$@"), or leave them be.',
                code=ANSWER_IS_NO,
            )
        return
    if ended.exit_code == NOT_REHEARSED and (ours or not ended.log):
        raise GreenroomError(
            f"not migrated: the database is not where a rehearsal of this image began. {ours or ''}".rstrip(),
            subject.gate.remedy,
            code=ANSWER_IS_NO,
        )
    if ended.exit_code == NOT_ALONE and (ours or not ended.log):
        raise GreenroomError(
            f"not migrated to its end: {ours or 'another process migrates this database.'}",
            "Wait for the other one, then run again: what is migrated by then is not migrated again.",
        )
    code = "never ran" if ended.exit_code is None else f"ended with {ended.exit_code}"
    raise GreenroomError(
        f"not migrated: the one-off task {ended.id} {code}: {ended.reason}."
        + (f" Its last words: {last}" if last else ""),
        f"The traffic was not touched. {ended.remedy(subject.where)}",
        code=ANSWER_IS_NO,
    )
