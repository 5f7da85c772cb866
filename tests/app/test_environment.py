from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.environment import BadEnvironment, Environment, PlainPythonEnvironment, check, describe, read

APP = Path(__file__).parents[2] / "app"
COMPLETE = {
    "DJANGO_SECRET_KEY": "d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51",
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com, www.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": "hunter2-and-more",
}
SWITCHED_ON = {
    "DJANGO_READ_SSM_PARAMS": "true",
    "DJANGO_SSM_PARAMS_PATH": "/ledger/staging",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
FROM_TASK_DEFINITION = {
    "AWS_DEFAULT_REGION",
    "DJANGO_INTERNAL_PORT_NUM",
    "DJANGO_READ_SSM_PARAMS",
    "DJANGO_SETTINGS_MODULE",
    "DJANGO_SSM_PARAMS_PATH",
}
DEMANDED = {
    *FROM_TASK_DEFINITION,
    "DJANGO_SECRET_KEY",
    "DJANGO_ALLOWED_HOSTS",
    "DJANGO_CSRF_TRUSTED_ORIGINS",
    "DJANGO_EXTERNAL_PROTOCOL",
    "DJANGO_EXTERNAL_HOST_NAME",
    "DJANGO_EXTERNAL_PORT_NUM",
    "DJANGO_DB_HOST",
    "DJANGO_DB_PORT",
    "DJANGO_DB_NAME",
    "DJANGO_DB_USER",
    "DJANGO_DB_PASS",
    "DJANGO_DB_SSLMODE",
    "DJANGO_DB_CONN_MAX_AGE",
    "DJANGO_LOG_LEVEL",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in DEMANDED:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], cwd=APP, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("settings", ["config.settings.prod", "config.settings.test", "no.such.module", ""])
def test_describe_environment_needs_no_variable(settings: str) -> None:
    done = run("manage.py", "describe_environment", "--json", DJANGO_SETTINGS_MODULE=settings)
    assert (done.returncode, done.stderr) == (0, "")
    registry = json.loads(done.stdout)
    assert registry["schema_version"] == 1
    assert {variable["name"] for variable in registry["variables"]} == DEMANDED


def test_describe_environment_for_people_names_and_describes() -> None:
    done = run("manage.py", "describe_environment")
    assert "DJANGO_DB_PASS (string, required, secret)\n    Password of that role.\n" in done.stdout


def test_describe_environment_shows_no_value_that_is_set() -> None:
    done = run("manage.py", "describe_environment", "--json", **COMPLETE)
    assert done.returncode == 0
    assert COMPLETE["DJANGO_SECRET_KEY"] not in done.stdout
    assert COMPLETE["DJANGO_DB_PASS"] not in done.stdout


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


def test_read_names_every_problem_at_once_and_no_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DJANGO_SECRET_KEY", "tooshort")
    environment.setenv("DJANGO_DB_PORT", "70000")
    environment.setenv("DJANGO_CSRF_TRUSTED_ORIGINS", "ledger.example.com")
    environment.setenv("DJANGO_DB_HOST", "")
    with pytest.raises(BadEnvironment) as caught:
        read()
    lines = str(caught.value).splitlines()
    assert lines[0] == "9 environment variable(s) missing or malformed:"
    assert [line.split()[0] for line in lines[1:]] == [
        "DJANGO_SECRET_KEY",
        "DJANGO_ALLOWED_HOSTS",
        "DJANGO_CSRF_TRUSTED_ORIGINS",
        "DJANGO_EXTERNAL_HOST_NAME",
        "DJANGO_DB_HOST",
        "DJANGO_DB_PORT",
        "DJANGO_DB_NAME",
        "DJANGO_DB_USER",
        "DJANGO_DB_PASS",
    ]
    assert lines[1] == (
        "  DJANGO_SECRET_KEY is malformed: it does not meet its constraint. Signs sessions and tokens, 50 characters "
        "or more; everybody is logged out when it changes. (production: SSM; test container: compose; for example: "
        "the output of: openssl rand -base64 48)"
    )
    assert lines[5].startswith("  DJANGO_DB_HOST is not set. Host name of the PostgreSQL server")
    assert lines[6].startswith("  DJANGO_DB_PORT is malformed: Input should be less than or equal to 65535.")
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DJANGO_DB_PORT", "abc", "Input should be a valid integer, unable to parse string as an integer"),
        (
            "DJANGO_DB_SSLMODE",
            "maybe",
            "Input should be 'disable', 'allow', 'prefer', 'require', 'verify-ca' or 'verify-full'",
        ),
        ("DJANGO_DB_CONN_MAX_AGE", "-1", "Input should be greater than or equal to 0"),
        ("DJANGO_EXTERNAL_PROTOCOL", "ftp", "Input should be 'http' or 'https'"),
        ("DJANGO_LOG_LEVEL", "LOUD", "Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        (
            "DJANGO_CSRF_TRUSTED_ORIGINS",
            "a.b",
            "each origin is a scheme and a host, such as https://ledger.example.com",
        ),
    ],
)
def test_read_malformed(environment: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    for key, good in {**COMPLETE, name: value}.items():
        environment.setenv(key, good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    assert str(caught.value).splitlines()[1].startswith(f"  {name} is malformed: {complaint}. ")


def test_read_complete(environment: pytest.MonkeyPatch) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    values = read()
    assert values.allowed_hosts == ["ledger.example.com", "www.example.com"]
    assert (values.db_port, values.db_sslmode, values.db_conn_max_age) == (5432, "require", 60)
    assert "hunter2" not in repr(values)


def test_read_plain_python_has_defaults_and_the_shell_wins(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DJANGO_DB_NAME", "copy")
    values = read(PlainPythonEnvironment)
    assert (values.db_host, values.db_name, values.db_user, values.db_sslmode) == (
        "localhost",
        "copy",
        "ledger",
        "prefer",
    )


@pytest.mark.parametrize(
    ("protocol", "port", "origin"),
    [
        ("https", "443", "https://ledger.example.com"),
        ("http", "80", "http://ledger.example.com"),
        ("http", "8000", "http://ledger.example.com:8000"),
        ("https", "80", "https://ledger.example.com:80"),
    ],
)
def test_external_origin_leaves_out_the_schemes_own_port(
    environment: pytest.MonkeyPatch, protocol: str, port: str, origin: str
) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    environment.setenv("DJANGO_EXTERNAL_PROTOCOL", protocol)
    environment.setenv("DJANGO_EXTERNAL_PORT_NUM", port)
    assert read().external_origin == origin


def test_prod_settings_refuse_before_anything_runs() -> None:
    done = run("manage.py", "migrate", DJANGO_SETTINGS_MODULE="config.settings.prod", DJANGO_DB_PASS="hunter2-and-more")
    assert done.returncode == 2
    assert done.stderr.startswith("6 environment variable(s) missing or malformed:\n  DJANGO_SECRET_KEY is not set. ")
    assert "Traceback" not in done.stderr and "hunter2" not in done.stderr


def test_prod_settings_refuse_before_serving() -> None:
    done = run("-c", "import config.wsgi", **{**COMPLETE, "DJANGO_SECRET_KEY": "hunter2"})
    assert done.returncode == 3
    assert "DJANGO_SECRET_KEY is malformed: it does not meet its constraint." in done.stderr
    assert "hunter2" not in done.stderr


def test_prod_settings_pass_the_deployment_check() -> None:
    done = run(
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "DEBUG",
        DJANGO_SETTINGS_MODULE="config.settings.prod",
        **COMPLETE,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_manage_defaults_to_plain_python() -> None:
    done = run(
        "manage.py", "shell", "--no-imports", "-c", "from django.conf import settings as s; print(s.SETTINGS_MODULE)"
    )
    assert done.stdout == "config.settings.test\n"


def test_environment_declares_each_name_once() -> None:
    names = [str(field.validation_alias) for field in Environment.model_fields.values()]
    assert len(names) == len(set(names))


def wrong_values(variable: dict[str, Any]) -> dict[str, str]:
    """Values that the declaration refuses, by what is wrong with them; none for a free text."""
    rule = variable["constraint"]
    wrong = {}
    if variable["type"] in ("integer", "boolean"):
        wrong["type"] = "pl4nted"
    if "enum" in rule:
        wrong["enum"] = "pl4nted"
    if "pattern" in rule:
        wrong["pattern"] = " pl4nted "
    if "minimum" in rule:
        wrong["minimum"] = str(rule["minimum"] - 1)
    if "maximum" in rule:
        wrong["maximum"] = str(rule["maximum"] + 1)
    if "minLength" in rule:
        wrong["minLength"] = "pl4nted"[: rule["minLength"] - 1]
    if "maxLength" in rule:
        wrong["maxLength"] = "x" * (rule["maxLength"] + 1)
    if "minItems" in rule:
        wrong["minItems"] = ","
    return wrong


WRONG = [(v["name"], how, value) for v in describe() for how, value in wrong_values(v).items()]


@pytest.mark.parametrize(("name", "how", "value"), WRONG, ids=[f"{name}-{how}" for name, how, _ in WRONG])
def test_a_malformed_variable_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, name: str, how: str, value: str
) -> None:
    for key, good in {**COMPLETE, name: value}.items():
        environment.setenv(key, good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    _, line = str(caught.value).splitlines()
    assert line.startswith(f"  {name} is malformed: ")
    assert "pl4nted" not in line


@pytest.mark.parametrize("name", [v["name"] for v in describe() if v["required"]])
def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, "" if key == name else good)
    with pytest.raises(BadEnvironment) as caught:
        read()
    assert str(caught.value).splitlines()[1].startswith(f"  {name} is not set. ")


@pytest.mark.parametrize("variable", [v for v in describe() if not v["secret"]], ids=lambda v: v["name"])
def test_an_example_is_a_value_that_holds(variable: dict[str, Any]) -> None:
    assert check({**COMPLETE, **SWITCHED_ON, variable["name"]: variable["example"]}) == []


def test_check_looks_at_nothing_but_what_is_given(environment: pytest.MonkeyPatch) -> None:
    for key, good in COMPLETE.items():
        environment.setenv(key, good)
    assert {problem.name for problem in check({"DJANGO_DB_HOST": "db"})} == COMPLETE.keys() - {"DJANGO_DB_HOST"}


def test_check_environment_reads_values_and_shows_none() -> None:
    wrong = {**COMPLETE, "DJANGO_SECRET_KEY": "pl4nted", "DJANGO_DB_HOST": "", "DJANGO_OTHER": "x"}
    given = json.dumps([COMPLETE, wrong])
    argv = [sys.executable, "manage.py", "check_environment"]
    done = subprocess.run(argv, cwd=APP, env={}, input=given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "problems": [
            [],
            [
                {
                    "name": "DJANGO_SECRET_KEY",
                    "kind": "malformed",
                    "message": "is malformed: it does not meet its constraint",
                },
                {"name": "DJANGO_DB_HOST", "kind": "missing", "message": "is not set"},
            ],
        ],
    }


@pytest.mark.parametrize("given", ["", "{}", '[{"DJANGO_DB_PORT": 5432}]', "[[]]"])
def test_check_environment_bad_input(given: str) -> None:
    argv = [sys.executable, "manage.py", "check_environment"]
    done = subprocess.run(argv, cwd=APP, env={}, input=given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "CommandError: standard input is not a JSON list of objects of strings.\n"
