"""Options are long: letters that Invoke makes up change with every new option, and run out."""

from __future__ import annotations

import inspect

import pytest

from greenroom.tasks import namespace


@pytest.mark.parametrize("name", sorted(namespace.tasks))
def test_task_has_no_made_up_letters(name: str) -> None:
    task = namespace.tasks[name]
    assert not task.auto_shortflags or len(inspect.signature(task.body).parameters) == 1
