"""The registry of the app's variables: what it says of each, and that its examples hold."""

from __future__ import annotations

from typing import Any

import pytest

from config.environment import Environment, describe
from config.values import check
from tests.app.variables import COMPLETE, FROM_TASK_DEFINITION, SWITCHED_ON


def test_registry_says_everything_of_every_variable() -> None:
    for variable in describe():
        assert variable["description"].endswith("."), variable["name"]
        assert variable["example"] and variable["since"] and variable["used_by"], variable["name"]
        assert set(variable["origins"]) == {"production_container", "test_container", "plain_python"}
        assert variable["type"] in ("string", "integer", "boolean", "list of strings, separated by commas")


def test_registry_task_definition_sets_what_the_design_says() -> None:
    by_task_definition = {
        variable["name"] for variable in describe() if variable["origins"]["production_container"] == "task definition"
    }
    assert by_task_definition == FROM_TASK_DEFINITION


def test_registry_knows_secrets_constraints_and_defaults() -> None:
    registry = {variable["name"]: variable for variable in describe()}
    secrets = {name for name, variable in registry.items() if variable["secret"]}
    assert secrets == {"DJANGO_SECRET_KEY", "DJANGO_DB_PASS"}
    assert registry["DJANGO_DB_PORT"]["constraint"] == {"minimum": 1, "maximum": 65535}
    assert registry["DJANGO_DB_PORT"]["default"] == 5432
    assert registry["DJANGO_DB_SSLMODE"]["constraint"]["enum"][-1] == "verify-full"
    assert "pattern" in registry["DJANGO_SETTINGS_MODULE"]["constraint"]
    assert registry["DJANGO_DB_HOST"]["required"] and registry["DJANGO_DB_HOST"]["plain_python_default"] == "localhost"


def test_environment_declares_each_name_once() -> None:
    names = [str(field.validation_alias) for field in Environment.model_fields.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variable", [v for v in describe() if not v["secret"]], ids=lambda v: v["name"])
def test_an_example_is_a_value_that_holds(variable: dict[str, Any]) -> None:
    assert check({**COMPLETE, **SWITCHED_ON, variable["name"]: variable["example"]}) == []
