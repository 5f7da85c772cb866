"""The app's start with SSM, against moto: what it reads, what it costs, and what it says when that fails."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from config.environment import describe
from config.values import PlainPythonEnvironment, read
from config.variables import BadEnvironment
from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto

__all__ = ["cloud", "moto"]

APP = Path(__file__).parents[2] / "app"
PATH = "/ledger/staging"
REGION = "us-east-1"
SECRET = "pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51"
PASSWORD = "pl4nted-hunter2"
SWITCHES = {"DJANGO_READ_SSM_PARAMS": "true", "DJANGO_SSM_PARAMS_PATH": PATH, "AWS_DEFAULT_REGION": REGION}
IN_SSM = {
    "DJANGO_SECRET_KEY": SECRET,
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com,www.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": PASSWORD,
}
SIGNED = re.compile(rf"Credential=\w+/\d+/({REGION}/ssm/aws4_request), SignedHeaders=(\S+), Signature=")
EMPTY_PAGE = {"Parameters": [], "NextToken": "0"}  # moto goes on from there


@pytest.fixture
def store(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of SSM, which holds what the app needs, and this process's environment as the task definition has it."""
    for variable in describe():
        monkeypatch.delenv(variable["name"], raising=False)
    for name, value in SWITCHES.items():
        monkeypatch.setenv(name, value)
    with closing(boto3.client("ssm", region_name=REGION)) as ssm:
        for name, value in IN_SSM.items():
            put(ssm, name, value)
        cloud.calls.clear()
        yield ssm


def put(ssm: Any, name: str, value: str) -> None:
    ssm.put_parameter(Name=f"{PATH}/{name}", Value=value, Type="SecureString", Overwrite=True)


def run(cloud: Cloud, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**CREDENTIALS, **SWITCHES, "AWS_ENDPOINT_URL": cloud.url, **environment}
    return subprocess.run([sys.executable, *argv], cwd=APP, env=given, capture_output=True, text=True, timeout=60)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "config.ssm"]


def refusal() -> str:
    with pytest.raises(BadEnvironment) as caught:
        read()
    assert "pl4nted" not in str(caught.value)
    return str(caught.value)


def test_values_come_from_ssm(store: Any, cloud: Cloud) -> None:
    put(store, "DJANGO_DB_PORT", "6432")
    values = read()
    assert values.allowed_hosts == ["ledger.example.com", "www.example.com"]
    assert (values.db_port, values.db_pass.get_secret_value()) == (6432, PASSWORD)
    assert {call.parameters["WithDecryption"] for call in cloud.called("GetParametersByPath")} == {True}


def test_requests_are_signed_as_with_all_handlers_of_botocore(store: Any, cloud: Cloud) -> None:
    """The app asks without them, since they are for other services."""
    read()
    store.get_parameters_by_path(Path=PATH, Recursive=True, WithDecryption=True, MaxResults=10)
    ours, theirs = (SIGNED.findall(call.authorization) for call in cloud.called("GetParametersByPath"))
    assert ours == theirs != []


def test_what_the_environment_sets_wins(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_DB_NAME", "other")
    monkeypatch.setenv("DJANGO_DB_USER", "")
    values = read()
    assert (values.db_name, values.db_user) == ("other", "ledger")


def test_what_the_task_definition_sets_is_not_taken_from_ssm(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    put(store, "DJANGO_INTERNAL_PORT_NUM", "9999")
    assert read().internal_port_num == 8000
    assert messages(caplog) == [
        f"SSM parameters below {PATH} that are not used, since the task definition sets it: DJANGO_INTERNAL_PORT_NUM."
    ]


def test_unknown_parameters_are_warned_of(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    put(store, "DJANGO_DB_PASSWORD", PASSWORD)
    put(store, "worker/DJANGO_DB_HOST", "elsewhere")
    assert read().db_host == "db.example.com"
    assert messages(caplog) == [
        f"SSM parameters below {PATH} that are not used, since the registry has no such variable: "
        "DJANGO_DB_PASSWORD, worker/DJANGO_DB_HOST."
    ]


def test_a_warning_is_a_line_of_the_log(store: Any, cloud: Cloud) -> None:
    put(store, "DJANGO_DB_PASSWORD", PASSWORD)
    done = run(cloud, "-W", "ignore", "-c", "import config.wsgi")
    assert (done.returncode, done.stderr) == (0, "")
    line = json.loads(done.stdout)
    assert (line["level"], line["logger"]) == ("WARNING", "config.ssm")
    assert "DJANGO_DB_PASSWORD" in line["message"] and PASSWORD not in done.stdout


@pytest.mark.parametrize("others", [0, 53])
def test_sixty_parameters_cost_at_most_seven_calls(store: Any, cloud: Cloud, others: int) -> None:
    for number in range(others):
        put(store, f"OTHER_{number:02}", "x")
    cloud.calls.clear()
    read()
    assert len(cloud.calls) <= (len(IN_SSM) + others) // 10 + 1


def test_an_empty_page_before_a_full_one(store: Any, cloud: Cloud) -> None:
    cloud.answer("GetParametersByPath", EMPTY_PAGE)
    assert read().db_host == "db.example.com"
    assert len(cloud.called("GetParametersByPath")) == 2


def test_throttling_is_retried(store: Any, cloud: Cloud) -> None:
    cloud.refuse("GetParametersByPath", "ThrottlingException", times=2)
    assert read().db_host == "db.example.com"
    assert len(cloud.called("GetParametersByPath")) == 3


@pytest.mark.parametrize("name", [v["name"] for v in describe() if v["required"]])
def test_a_missing_parameter_is_named_with_its_place(store: Any, name: str) -> None:
    store.delete_parameter(Name=f"{PATH}/{name}")
    first, line = refusal().splitlines()
    assert first == "1 environment variable(s) missing or malformed:"
    assert line.startswith(f"  {name} is not set. ")
    assert f"(production: SSM, {PATH}/{name}; test container: compose; " in line


def test_everything_wrong_is_named_at_once(store: Any) -> None:
    put(store, "DJANGO_SECRET_KEY", "pl4nted-short")
    put(store, "DJANGO_DB_PORT", "70000")
    store.delete_parameter(Name=f"{PATH}/DJANGO_DB_HOST")
    _, *lines = refusal().splitlines()
    assert [line.split()[0] for line in lines] == ["DJANGO_SECRET_KEY", "DJANGO_DB_HOST", "DJANGO_DB_PORT"]


@pytest.mark.parametrize("missing", ["DJANGO_SSM_PARAMS_PATH", "AWS_DEFAULT_REGION"])
def test_without_a_place_only_that_is_said(
    store: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv(missing)
    _, line = refusal().splitlines()
    assert line.startswith(f"  {missing} is not set. ")
    assert "(production: task definition; " in line
    assert cloud.calls == []


def test_without_a_place_what_is_malformed_is_said_too(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_READ_SSM_PARAMS", "perhaps")
    monkeypatch.setenv("DJANGO_DB_PORT", "0")
    _, *lines = refusal().splitlines()
    assert [line.split()[0] for line in lines] == ["DJANGO_READ_SSM_PARAMS", "DJANGO_DB_PORT"]


def test_denied(store: Any, cloud: Cloud) -> None:
    cloud.refuse("GetParametersByPath", "AccessDeniedException", "User: arn:aws:sts::123456789012:x is pl4nted")
    assert refusal() == (
        f"SSM does not let this container read {PATH} in {REGION} (AccessDeniedException): its task role needs "
        "ssm:GetParametersByPath there, and kms:Decrypt where a key of your own encrypts."
    )


def test_throttled_for_good(store: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.ssm.ATTEMPTS", 2)
    cloud.refuse("GetParametersByPath", "ThrottlingException")
    assert refusal().startswith(f"SSM does not answer for {PATH} in {REGION} (ThrottlingException): ")


def test_not_reachable(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.ssm.ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:pl4nted@127.0.0.1:9")
    said = refusal()
    assert said.startswith(f"SSM cannot be reached at 127.0.0.1 to read {PATH} (EndpointConnectionError, ")
    assert "VPC endpoint" in said


@pytest.mark.parametrize("url", ["no address pl4nted", "http://someone:pl4nted@[bad"])
def test_endpoint_that_is_none(store: Any, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert refusal() == (
        f"SSM's endpoint in {REGION} is no address, or what answers there for {PATH} is not SSM (ValueError): "
        "see AWS_ENDPOINT_URL and HTTPS_PROXY."
    )


def test_answer_of_somebody_else(store: Any, cloud: Cloud) -> None:
    """A proxy's page, for one."""
    cloud.play("GetParametersByPath", lambda _parameters, _moto: "<html>pl4nted</html>")
    assert "what answers there for /ledger/staging is not SSM (KeyError)" in refusal()


def test_without_credentials(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert refusal() == (
        f"There are no AWS credentials to read {PATH} in {REGION} from SSM (NoCredentialsError): "
        "give the task a task role."
    )


def test_answers_are_never_logged(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    read()
    assert "pl4nted" not in caplog.text


def test_manage_ends_before_it_does_anything(store: Any, cloud: Cloud) -> None:
    store.delete_parameter(Name=f"{PATH}/DJANGO_DB_HOST")
    done = run(cloud, "manage.py", "migrate", DJANGO_SETTINGS_MODULE="config.settings.prod")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("1 environment variable(s) missing or malformed:\n  DJANGO_DB_HOST is not set. ")
    assert "Traceback" not in done.stderr
    assert len(cloud.called("GetParametersByPath")) == 1


def test_gunicorn_ends_before_it_serves(store: Any, cloud: Cloud) -> None:
    cloud.refuse("GetParametersByPath", "AccessDeniedException")
    done = run(cloud, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2", "config.wsgi:application")
    assert done.returncode == 3
    assert "SSM does not let this container read /ledger/staging" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("switch", "loaded"), [("false", False), ("true", True)])
def test_aws_is_loaded_only_to_read_ssm(store: Any, cloud: Cloud, switch: str, loaded: bool) -> None:
    code = "import config.wsgi, sys; print({'botocore', 'boto3'} & sys.modules.keys())"
    done = run(cloud, "-c", code, **{**IN_SSM, "DJANGO_READ_SSM_PARAMS": switch})
    assert done.stdout == ("{'botocore'}\n" if loaded else "set()\n"), done.stderr


def test_plain_python_does_not_read_ssm(store: Any, cloud: Cloud) -> None:
    assert read(PlainPythonEnvironment).db_host == "localhost"
    assert cloud.calls == []


def test_the_app_ships_without_boto3() -> None:
    pins = (APP.parent / "requirements" / "app.txt").read_text()
    assert "\nbotocore==" in pins and "boto3" not in pins
