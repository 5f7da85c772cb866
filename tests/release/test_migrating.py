"""What is said of a one-off task that has migrated, or has not."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.release import gate, migrating, one_off
from greenroom.release.doctor import Subject
from tests.release import scene
from tests.release.scene import PLAN, Played, events, tasks

ID = scene.TASK.rpartition("/")[2]
EXITED = "Essential container in task exited"
PENDING = "greenroom: Pending: ledger.0010_x; plan c3c3."
MIGRATED = (PENDING, "  Applying ledger.0010_x... OK", "greenroom: Migrated.")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_off, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(one_off, "LAG_SECONDS", 0.05)


def subject(guard: Played) -> Subject:
    return Subject(
        config=scene.config(),
        registry=None,  # type: ignore[arg-type]
        where=scene.where(),
        guard=guard,
        deployer=scene.Deployer(),
        files=scene.files(),
        digest=scene.DIGEST,
        service=scene.service(),
        gate=scene.gate(scene.stored()),
    )


def migrate(exit_code: int | None, *log: str, reason: str = EXITED) -> list[str]:
    said: list[str] = []
    guard = Played(
        run_task={"tasks": [{"taskArn": scene.TASK}]},
        describe_task_definition=scene.described(),
        describe_tasks=tasks("STOPPED", exit_code, stoppedReason=reason),
        get_log_events=[events(*log, token="f/1"), events(token="f/1")],
    )
    migrating.migrate(subject(guard), f"{scene.DEFINITION}:2", said.append)
    return said


def refusal(exit_code: int | None, *log: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(GreenroomError) as refused:
        migrate(exit_code, *log, **more)
    return refused.value.code, refused.value.sentence


def test_migrated() -> None:
    assert migrate(0, *MIGRATED) == [f"  one-off task {ID}", *(f"  {line}" for line in MIGRATED)]


def test_migrated_is_believed_where_no_log_can_be_read() -> None:
    assert migrate(0) == [f"  one-off task {ID}"]


@pytest.mark.parametrize(
    ("exit_code", "log", "said"),
    [
        (
            0,
            ("[INFO] Starting gunicorn", "[INFO] bye"),
            (
                1,
                "not migrated: the image did not run what it was told to, and ended with 0. Its last words: [INFO] bye",
            ),
        ),
        (
            3,
            (PENDING, "greenroom: This plan was not rehearsed; the rehearsed: none."),
            (
                1,
                "not migrated: the database is not where a rehearsal of this image began. "
                "This plan was not rehearsed; the rehearsed: none.",
            ),
        ),
        (3, (), (1, "not migrated: the database is not where a rehearsal of this image began.")),
        (
            3,  # of gunicorn
            ("Worker failed to boot.",),
            (
                1,
                f"not migrated: the one-off task {ID} ended with 3: {EXITED}; app ended with 3. "
                "Its last words: Worker failed to boot.",
            ),
        ),
        (
            4,
            ("greenroom: Another process is migrating this database.",),
            (2, "not migrated to its end: Another process is migrating this database."),
        ),
        (
            1,
            (PENDING, "greenroom: Not migrated: IntegrityError, sqlstate 23505"),
            (
                1,
                f"not migrated: the one-off task {ID} ended with 1: {EXITED}; app ended with 1. "
                "Its last words: greenroom: Not migrated: IntegrityError, sqlstate 23505",
            ),
        ),
    ],
)
def test_not_migrated(exit_code: int, log: tuple[str, ...], said: tuple[int, str]) -> None:
    assert refusal(exit_code, *log) == said


def test_one_that_never_ran_is_told_with_what_helps() -> None:
    with pytest.raises(GreenroomError) as refused:
        migrate(None, reason="CannotPullContainerError: 403 Forbidden")
    assert refused.value.sentence == (
        f"not migrated: the one-off task {ID} never ran: CannotPullContainerError: 403 Forbidden."
    )
    assert refused.value.hint.startswith("The traffic was not touched. The subnets need a way to ECR")


def test_command_is_the_program_and_the_plans_and_fits() -> None:
    words = migrating.command("python", [PLAN] * gate.PLANS)
    assert (words[:2], words[3:]) == (["python", "-c"], [PLAN] * gate.PLANS)
    assert len(json.dumps(one_off.overrides("app", words))) <= migrating.LARGEST


def test_program_is_inside_py_but_for_its_docstrings() -> None:
    def bare(text: str) -> list[str]:
        return [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]

    whole = (scene.ROOT / "greenroom" / "release" / "inside.py").read_text()
    docstrings = sum(
        1
        for node in ast.walk(ast.parse(whole))
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node)
    )
    kept, original = bare(migrating.program()), bare(whole)
    assert docstrings > 10
    assert len(original) - len(kept) <= docstrings, "a class that was a docstring alone has `pass`"
    assert '"""' not in migrating.program()


def test_a_command_that_ecs_would_not_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "LARGEST", 100)
    code, sentence = refusal(0)
    assert (code, sentence.partition(" has ")[0]) == (2, "the one-off task's command")
