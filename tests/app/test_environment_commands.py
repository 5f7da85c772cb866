"""The app's commands and settings as processes: describing the environment, checking one, refusing a bad one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.app.variables import APP, COMPLETE, DEMANDED, run


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


def test_empty_settings_module_counts_as_not_set() -> None:
    asked = "from django.conf import settings as s; print(s.SETTINGS_MODULE)"
    done = run("manage.py", "shell", "--no-imports", "-c", asked, DJANGO_SETTINGS_MODULE="")
    assert (done.stdout, done.stderr) == ("config.settings.test\n", "")
    done = run("-W", "ignore", "-c", f"import config.wsgi; {asked}", **{**COMPLETE, "DJANGO_SETTINGS_MODULE": ""})
    assert (done.stdout, done.stderr) == ("config.settings.prod\n", "")


@pytest.mark.parametrize("module", ["config.settings.prod\u200b", " config.settings.prod", "config/settings/prod.py"])
@pytest.mark.parametrize(("words", "code"), [(("manage.py", "check"), 2), (("-c", "import config.wsgi"), 3)])
def test_settings_module_that_names_none_is_told(words: tuple[str, ...], code: int, module: str) -> None:
    done = run(*words, **{**COMPLETE, "DJANGO_SETTINGS_MODULE": module})
    head, line = done.stderr.splitlines()
    assert (done.returncode, head) == (code, "1 environment variable(s) missing or malformed:")
    assert line.startswith("  DJANGO_SETTINGS_MODULE is malformed: ")


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
