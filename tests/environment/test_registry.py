from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config
from greenroom.environment import registry as room
from greenroom.environment.registry import Problem, Registry
from greenroom.errors import GreenroomError

ROOT = Path(__file__).resolve().parents[2]


def test_load_asks_the_project(registry: Registry) -> None:
    assert room.load(config.load(ROOT)).variables == registry.variables


def test_of_task_definition_and_prefixes(registry: Registry) -> None:
    assert set(registry.of_task_definition) == {
        "DJANGO_INTERNAL_PORT_NUM",
        "DJANGO_SETTINGS_MODULE",
        "DJANGO_READ_SSM_PARAMS",
        "DJANGO_SSM_PARAMS_PATH",
        "AWS_DEFAULT_REGION",
    }
    assert registry.prefixes == ("DJANGO_",)


def test_problems_are_the_apps_own(registry: Registry) -> None:
    given = dict.fromkeys(registry.required, "x" * 60) | {"DJANGO_DB_PORT": "0", "DJANGO_SECRET_KEY": "pl4nted"}
    del given["DJANGO_DB_HOST"]
    assert registry.problems(given) == [
        Problem("DJANGO_SECRET_KEY", "malformed", "is malformed: it does not meet its constraint"),
        Problem("DJANGO_DB_HOST", "missing", "is not set"),
        Problem("DJANGO_DB_PORT", "malformed", "is malformed: Input should be greater than or equal to 1"),
    ]


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        (None, "there is no manage.py in {}."),
        ("import sys; sys.exit('no such command')", "`manage.py describe_environment` failed with exit code 1: no su"),
        ("print('{}')", "`manage.py describe_environment` does not print the JSON of schema_version 1."),
        ("print('[]')", "`manage.py describe_environment` does not print the JSON of schema_version 1."),
        ('print(\'{"schema_version": 1, "variables": [{}]}\')', "{}/manage.py describes its environment in a form "),
    ],
)
def test_load_from_a_project_that_does_not_say(tmp_path: Path, program: str | None, sentence: str) -> None:
    if program:
        (tmp_path / "manage.py").write_text(program)
    with pytest.raises(GreenroomError) as caught:
        room.load(config.parse({"project": {"directory": "."}}, tmp_path))
    assert caught.value.sentence.startswith(sentence.replace("{}", str(tmp_path)))
    assert caught.value.code == 2
