"""The next steps that this room names can be typed: each `./inv TASK` in a message has the options that TASK needs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release import scene
from tests.release.scene import ROOT
from tests.release.test_ci import _TASK, tasks, wrong

ROOMS = ("greenroom/release", "greenroom/image")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).glob("*.py"))


def messages(text: str) -> Iterator[str]:
    """Every string of the code but docstrings; what is filled in is `X`."""
    tree = ast.parse(text)
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in whole for part in node.values}
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in whole:
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (parts | said):
            yield node.value


def lacking(text: str) -> Iterator[str]:
    """Options that a task needs and is not given."""
    for name, rest in _TASK.findall(text):
        for parameter in list(inspect.signature(tasks()[name].body).parameters.values())[1:]:
            option = f"--{parameter.name.replace('_', '-')}"
            if parameter.default is inspect.Parameter.empty and parameter.annotation == "str" and option not in rest:
                yield f"{name} needs {option}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_commands_of_messages_can_be_typed(path: Path) -> None:
    for text in messages(path.read_text()):
        assert (wrong(text), list(lacking(text))) == ([], []), text


def test_command_that_lacks_an_option_would_be_found() -> None:
    code = '"""./inv status"""\nhint = f"Wait: ./inv status; or ({then}: ./inv rollback --environment {name})"\n'
    assert [one for text in messages(code) for one in lacking(text)] == ["status needs --environment"]
    assert list(lacking("./inv ecs-logs --task 1")) == ["ecs-logs needs --environment"]


def test_task_of_an_environment_is_typed_with_its_name() -> None:
    assert scene.where().inv("build --push") == "./inv build --push --environment staging"
