"""`env-check`, `env-diff` and `env-push` against SSM as moto plays it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom import aws, config
from greenroom.config import Environment
from greenroom.environment import comparing, parameters, pushing, registry, values
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError
from greenroom.secret import Secret
from tests.integration.moto_server import Cloud, cloud, moto

__all__ = ["cloud", "moto"]

ROOT = Path(__file__).resolve().parents[2]
PATH, REGION = "/ledger/staging", "eu-central-1"
CONFIGURATION = f"""
[tool.greenroom.environments.staging]
ssm_path = "{PATH}"
region = "{REGION}"
account = "123456789012"

[tool.greenroom.environments.other]
ssm_path = "{PATH}"
region = "{REGION}"
account = "210987654321"
"""
SECRET = "pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51"
FILE = {
    "DJANGO_SECRET_KEY": SECRET,
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": "pl4nted-hunter2",
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with our app, and a configuration of its own."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "app", root / "app", ignore=shutil.ignore_patterns("__pycache__", "build"))
    (root / "pyproject.toml").write_text(CONFIGURATION)
    (root / "tasks.py").write_text("from greenroom.tasks import namespace\n")
    (root / "docs").mkdir()
    for name in ("docs/environment.md", ".env.example"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def known(checkout: Path) -> Registry:
    return registry.load(config.load(checkout))


@pytest.fixture
def staging(checkout: Path) -> Environment:
    return config.load(checkout).environment("staging")


@pytest.fixture
def ssm(cloud: Cloud) -> Iterator[Any]:
    with closing(boto3.client("ssm", region_name=REGION)) as client:
        yield client


@pytest.fixture
def file(checkout: Path) -> Path:
    return write(checkout / ".env.staging", FILE)


def write(path: Path, given: dict[str, str]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    return path


def put(ssm: Any, name: str, value: str, type: str = "String") -> None:
    ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type=type, Overwrite=True)


def fill(ssm: Any) -> None:
    for name, value in FILE.items():
        put(ssm, name, value, "SecureString" if name in ("DJANGO_SECRET_KEY", "DJANGO_DB_PASS") else "String")


def inv(checkout: Path, *words: str, stdin: int = subprocess.DEVNULL) -> Said:
    """Run a task; as a script would, with nobody to ask, unless a terminal is given."""
    argv = [sys.executable, "-P", "-m", "greenroom", *words]
    done = subprocess.run(argv, cwd=checkout, capture_output=True, text=True, stdin=stdin, timeout=60)
    assert "pl4nted" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def stored(ssm: Any) -> dict[str, dict[str, Any]]:
    found = ssm.get_parameters_by_path(Path=PATH, WithDecryption=True)["Parameters"]
    return {parameter["Name"].rpartition("/")[2]: parameter for parameter in found}


def test_push_then_diff_then_check(checkout: Path, file: Path, cloud: Cloud, ssm: Any) -> None:
    pushed = inv(checkout, "env-push", "--environment", "staging", "--yes")
    assert (pushed.code, pushed.error) == (0, "")
    assert pushed.out.splitlines()[0] == "staging: account 123456789012, eu-central-1, /ledger/staging"
    assert "  + DJANGO_DB_HOST             db.example.com\n" in pushed.out
    assert "wrote DJANGO_DB_PASS\n" in pushed.out
    assert {name: found["Value"] for name, found in stored(ssm).items()} == FILE
    assert {name for name, found in stored(ssm).items() if found["Type"] == "SecureString"} == {
        "DJANGO_SECRET_KEY",
        "DJANGO_DB_PASS",
    }
    described = ssm.describe_parameters()["Parameters"]
    assert {found["Description"] for found in described if found["Name"].endswith("DB_PASS")} == {
        "Password of that role."
    }
    written = {call.parameters["Name"]: call.parameters for call in cloud.called("PutParameter")}
    assert written[f"{PATH}/DJANGO_EXTERNAL_HOST_NAME"]["AllowedPattern"].startswith("^[A-Za-z0-9]")
    assert "AllowedPattern" not in written[f"{PATH}/DJANGO_DB_HOST"]

    assert inv(checkout, "env-diff", "--environment", "staging").code == 0
    checked = inv(checkout, "env-check", "--environment", "staging")
    assert (checked.code, checked.error) == (0, "")
    again = inv(checkout, "env-push", "--environment", "staging", "--yes")
    assert (again.code, again.out.splitlines()[1:]) == (0, ["  = 7 the same"])
    assert len(cloud.called("PutParameter")) == len(FILE)


@pytest.mark.parametrize("task", ["env-diff", "env-push"])
def test_a_secret_that_a_comment_cuts_goes_nowhere(checkout: Path, cloud: Cloud, task: str) -> None:
    write(checkout / "cut", FILE | {"DJANGO_DB_PASS": "pl4nted #hunter2"})
    said = inv(checkout, task, "--environment", "staging", "--from", "cut")
    assert (said.code, said.out) == (2, "")
    assert said.error.startswith("cut, line 7: what follows the # is a comment, and no part of DJANGO_DB_PASS.\n")
    assert cloud.calls == []


@pytest.mark.parametrize("words", [("env-check", "--environment"), ("env-diff", "--environment", "staging", "--from")])
def test_an_empty_word_is_none_that_was_left_out(
    checkout: Path, file: Path, cloud: Cloud, words: tuple[str, ...]
) -> None:
    """As a script says it whose variable is not set."""
    said = inv(checkout, *words, "")
    assert (said.code, said.out, cloud.calls) == (2, "", [])


def test_dry_run_writes_nothing(checkout: Path, file: Path, cloud: Cloud, ssm: Any) -> None:
    said = inv(checkout, "env-push", "--environment", "staging", "--dry-run")
    assert (said.code, said.error) == (0, "")
    assert "  + DJANGO_DB_HOST             db.example.com\n" in said.out
    assert {call.action for call in cloud.calls} == {"GetCallerIdentity", "GetParametersByPath", "DescribeParameters"}


def test_nobody_to_ask_writes_nothing(checkout: Path, file: Path, cloud: Cloud) -> None:
    said = inv(checkout, "env-push", "--environment", "staging")
    assert said.code == 2
    assert said.error.startswith("nobody is there to ask.\n")
    assert cloud.called("PutParameter") == []


@pytest.mark.parametrize(("answer", "code", "written"), [("y\n", 0, 7), ("n\n", 1, 0), ("\n", 1, 0)])
def test_a_person_is_asked(
    checkout: Path, file: Path, cloud: Cloud, ssm: Any, answer: str, code: int, written: int
) -> None:
    terminal, stdin = os.openpty()
    os.write(terminal, answer.encode())
    said = inv(checkout, "env-push", "--environment", "staging", stdin=stdin)
    os.close(terminal), os.close(stdin)
    assert (said.code, said.error) == (code, "")
    assert said.out.index("+ DJANGO_DB_HOST") < said.out.index("Write 7 parameters? [y/N]")
    assert len(cloud.called("PutParameter")) == written


def test_a_client_that_reads_sends_nothing_else(cloud: Cloud) -> None:
    with closing(aws.read_only("ssm")) as ssm, pytest.raises(PermissionError, match="PutParameter"):
        ssm.put_parameter(Name="/a", Value="b", Type="String")
    with closing(aws.read_only("ssm")) as ssm, pytest.raises(PermissionError, match="DeleteParameter"):
        ssm.delete_parameter(Name="/a")
    assert cloud.calls == []


def test_diff(checkout: Path, file: Path, ssm: Any) -> None:
    put(ssm, "DJANGO_DB_HOST", "old.example.com")
    put(ssm, "DJANGO_DB_PASS", "pl4nted-old", "SecureString")
    put(ssm, "DJANGO_LOG_LEVEL", "INFO")
    put(ssm, "OTHER", "pl4nted")
    said = inv(checkout, "env-diff", "--environment", "staging")
    assert said.code == 1
    assert "  ~ DJANGO_DB_HOST             old.example.com -> db.example.com\n" in said.out
    assert "  ~ DJANGO_DB_PASS             #" in said.out
    assert "  - DJANGO_LOG_LEVEL           only in SSM\n" in said.out
    assert "  - OTHER                      only in SSM, and not taken from there\n" in said.out


def test_diff_of_another_file(checkout: Path, tmp_path: Path, ssm: Any) -> None:
    put(ssm, "DJANGO_DB_HOST", "db")
    other = write(tmp_path / "values", {"DJANGO_DB_HOST": "db"})
    said = inv(checkout, "env-diff", "--environment", "staging", "--from", str(other))
    assert (said.code, said.out.splitlines()[1:]) == (0, ["  = 1 the same"])


def test_check_of_ssm_names_all_that_is_wrong(checkout: Path, ssm: Any) -> None:
    fill(ssm)
    ssm.delete_parameter(Name=f"{PATH}/DJANGO_DB_HOST")
    ssm.delete_parameter(Name=f"{PATH}/DJANGO_DB_PASS")
    put(ssm, "DJANGO_DB_PASS", "pl4nted")
    put(ssm, "DJANGO_DB_PASSWORD", "pl4nted", "SecureString")
    put(ssm, "DJANGO_DB_PORT", "70000")
    put(ssm, "DJANGO_SETTINGS_MODULE", "config.settings.test")
    said = inv(checkout, "env-check", "--environment", "staging")
    assert said.code == 1
    assert said.out.splitlines() == [
        "staging: account 123456789012, eu-central-1, /ledger/staging",
        *(
            f"SSM {PATH}: {line}"
            for line in (
                "DJANGO_DB_HOST is not set",
                "DJANGO_DB_PORT is malformed: Input should be less than or equal to 65535",
                "DJANGO_DB_PASS is a secret and stands there as a plain String: it must be a SecureString",
                "DJANGO_DB_PASSWORD is not in the registry (is DJANGO_DB_PASS meant?): the app does not use it",
                "DJANGO_SETTINGS_MODULE is set by the task definition: the app does not take it from SSM",
            )
        ),
    ]


def test_check_needs_no_aws(checkout: Path, cloud: Cloud) -> None:
    assert inv(checkout, "env-check").code == 0
    assert cloud.calls == []


def test_another_account_is_refused(checkout: Path, file: Path, cloud: Cloud) -> None:
    said = inv(checkout, "env-push", "--environment", "other", "--yes", "--from", str(file))
    assert said.code == 2
    assert said.error.startswith(
        "these AWS credentials are of account 123456789012, and other is in 210987654321.\n  Sign in to that one"
    )
    assert {call.action for call in cloud.calls} == {"GetCallerIdentity"}


def test_another_account_is_refused_before_anything_is_read_or_written(checkout: Path, cloud: Cloud) -> None:
    other = config.load(checkout).environment("other")
    for act in (lambda: parameters.stored(other), lambda: list(pushing.write(other, []))):
        with pytest.raises(GreenroomError, match="account 123456789012"):
            act()
    assert {call.action for call in cloud.calls} == {"GetCallerIdentity"}


def test_push_of_a_bad_file_asks_aws_nothing(checkout: Path, tmp_path: Path, cloud: Cloud) -> None:
    bad = write(tmp_path / "values", {**FILE, "DJANGO_DB_PASS": "pl4nted" * 600, "DJANGO_SSM_PARAMS_PATH": PATH})
    said = inv(checkout, "env-push", "--environment", "staging", "--yes", "--from", str(bad))
    assert (said.code, said.error.splitlines()[:2]) == (
        2,
        [
            "DJANGO_DB_PASS has 4200 bytes; a standard parameter holds 4096.",
            "DJANGO_SSM_PARAMS_PATH is set by the task definition, and never by SSM.",
        ],
    )
    assert cloud.calls == []


def test_stored_denied(cloud: Cloud, staging: Environment) -> None:
    cloud.refuse(
        "GetParametersByPath",
        "AccessDeniedException",
        "User: arn:x is not authorized to perform: ssm:GetParametersByPath on resource: pl4nted",
    )
    with pytest.raises(GreenroomError) as caught:
        parameters.stored(staging)
    assert caught.value.sentence == "AWS does not let this identity do ssm:GetParametersByPath."


def test_stored_throttled_is_retried(cloud: Cloud, ssm: Any, staging: Environment) -> None:
    put(ssm, "DJANGO_DB_HOST", "db")
    cloud.refuse("GetParametersByPath", "ThrottlingException", times=1)
    assert parameters.stored(staging).keys() == {"DJANGO_DB_HOST"}


def test_stored_empty_page_before_a_full_one(cloud: Cloud, ssm: Any, staging: Environment) -> None:
    put(ssm, "DJANGO_DB_HOST", "db")
    cloud.answer("GetParametersByPath", {"Parameters": [], "NextToken": "0"})
    assert parameters.stored(staging).keys() == {"DJANGO_DB_HOST"}


def test_write_stops_when_ssm_changed_meanwhile(cloud: Cloud, ssm: Any, staging: Environment, known: Registry) -> None:
    fill(ssm)
    here = {"DJANGO_DB_HOST": Secret("b")}
    changes = pushing.planned(known, comparing.compare(known, here, parameters.stored(staging)), {})
    put(ssm, "DJANGO_DB_HOST", "c")
    cloud.calls.clear()
    with pytest.raises(GreenroomError, match="DJANGO_DB_HOST changed in SSM since it was shown; nothing was written"):
        list(pushing.write(staging, changes))
    assert cloud.called("PutParameter") == []


def test_write_refused_by_ssm_does_not_quote(cloud: Cloud, staging: Environment, known: Registry, file: Path) -> None:
    cloud.refuse("PutParameter", "ValidationException", "Value 'pl4nted-hunter2' failed to satisfy constraint")
    changes = pushing.planned(known, comparing.compare(known, values.read(file), {}), {})
    with pytest.raises(GreenroomError) as caught:
        list(pushing.write(staging, changes))
    assert caught.value.sentence == "DJANGO_SECRET_KEY was not written: SSM refuses it (ValidationException)."
    assert "pl4nted" not in str(caught.value)
