"""What `tf-*` refuse, or Terraform does: one sentence, what to do, and exit code 2."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.integration.moto_server import Application, Cloud
from tests.integration.terraform_desk import BUCKET, Desk, bootstrapped, cloud, desk, moto

__all__ = ["cloud", "desk", "moto"]
pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]


@contextmanager
def answering(cloud: Cloud, application: Application) -> Iterator[None]:
    """Another one answers in moto's place."""
    before, cloud.application = cloud.application, application
    try:
        yield
    finally:
        cloud.application = before


@contextmanager
def expired(cloud: Cloud, *, after: str) -> Iterator[None]:
    """From the first call of an action, or of a method of S3, nothing is allowed to these credentials any more."""
    moto, over = cloud.application, False

    def refusing(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal over
        target = str(environment.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        over = over or (target or environment["REQUEST_METHOD"]) == after
        if not over:
            return moto(environment, start)
        environment["wsgi.input"].read()
        text = "The security token included in the request is expired"
        said = {
            True: json.dumps({"__type": "ExpiredTokenException", "message": text}),
            False: f"<Error><Code>ExpiredToken</Code><Message>{text}</Message></Error>",
        }[bool(target)].encode()
        start("400 Bad Request", [("Content-Type", "application/xml"), ("Content-Length", str(len(said)))])
        return [said]

    with answering(cloud, refusing):
        yield


@contextmanager
def broken(cloud: Cloud, *, action: str) -> Iterator[None]:
    """Answers to an action end after half of what their headers promise."""
    moto = cloud.application

    def cutting(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = b"".join(moto(environment, start))
        asked = str(environment.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        return [body[: len(body) // 2] if asked == action else body]

    with answering(cloud, cutting):
        yield


def test_locked_state_names_who_holds_it(desk: Desk) -> None:
    bootstrapped(desk)
    assert desk.run("tf-apply", "--environment", "staging", "--yes").returncode == 0
    told = {"ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Info": "", "Path": "x"}
    told |= {"Who": "ann@desk", "Version": "1.11.0", "Created": "2026-01-02T03:04:05Z"}
    with closing(desk.client("s3")) as s3:
        s3.put_object(Bucket=BUCKET, Key="shop.tflock", Body=json.dumps(told).encode())
    done = desk.run("tf-apply", "--environment", "staging", "--yes")
    assert done.returncode == 2
    assert "the state of staging is locked by ann@desk since " in done.stderr
    hint = done.stderr.rpartition("gone for sure: ")[2].strip()
    assert hint.endswith(" force-unlock 11111111-2222-3333-4444-555555555555")
    unlocked = desk.shell(hint.replace("force-unlock", "force-unlock -force"))
    assert unlocked.returncode == 0, unlocked.stderr
    assert desk.run("tf-apply", "--environment", "staging", "--yes").returncode == 0


def test_state_without_a_bucket_is_told(desk: Desk) -> None:
    done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert f"the bucket of the state, {BUCKET}, does not exist." in done.stderr
    assert "Make it, once: ./inv tf-bootstrap --environment staging" in done.stderr


def test_state_whose_bucket_has_gone_is_told(desk: Desk) -> None:
    """Terraform has been prepared, and is not again."""
    bootstrapped(desk)
    assert desk.run("tf-output", "--environment", "staging").returncode == 0
    with closing(desk.client("s3")) as s3:
        s3.delete_bucket(Bucket=BUCKET)
    for task in ("tf-plan", "tf-output"):
        done = desk.run(task, "--environment", "staging")
        assert done.returncode == 2
        assert f"the bucket of the state, {BUCKET}, does not exist." in done.stderr, done.stderr


def test_module_that_is_wrong_is_told_with_its_place(desk: Desk) -> None:
    bootstrapped(desk)
    (desk.module / "wrong.tf").write_text('resource "aws_ssm_parameter" "wrong" {\n  naem = "x"\n}\n')
    done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert "wrong.tf" in done.stderr and "naem" in done.stderr


@pytest.mark.parametrize(
    ("file", "was", "becomes", "says"),
    [
        ("staging.tfvars", "123456789012", "999999999999", "staging.tfvars says account = 999999999999, and"),
        ("staging.s3.tfbackend", "us-east-1", "eu-west-1", "staging.s3.tfbackend says region = eu-west-1, and"),
        ("staging.s3.tfbackend", "bucket", "bukkit", "names no bucket."),
    ],
)
def test_files_that_contradict_the_configuration(desk: Desk, file: str, was: str, becomes: str, says: str) -> None:
    path = desk.module / "environments" / file
    path.write_text(path.read_text().replace(was, becomes))
    done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2 and says in done.stderr


def test_environment_without_files_is_told(desk: Desk) -> None:
    (desk.module / "environments" / "staging.tfvars").unlink()
    done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert "there is no infra/terraform/environments/staging.tfvars." in done.stderr


def test_other_account_is_refused_before_terraform_runs(desk: Desk) -> None:
    for file in ((desk.place / "pyproject.toml"), desk.module / "environments" / "staging.tfvars"):
        file.write_text(file.read_text().replace("123456789012", "210987654321"))
    done = desk.run("tf-apply", "--environment", "staging", "--yes")
    assert done.returncode == 2
    assert "these AWS credentials are of account 123456789012, and staging is in 210987654321." in done.stderr
    assert not (desk.place / "build").exists()


def test_expired_credentials_are_told_before_terraform_runs(desk: Desk, cloud: Cloud) -> None:
    cloud.refuse("GetCallerIdentity", "ExpiredToken", "The security token included in the request is expired")
    for task in ("tf-bootstrap", "tf-plan", "tf-apply", "tf-destroy", "tf-output"):
        done = desk.run(task, "--environment", "staging")
        assert done.returncode == 2
        assert done.stderr.startswith("the AWS credentials have expired.\n  Sign in"), done.stderr
    assert not (desk.place / "build").exists()


def test_credentials_that_lack_are_told(desk: Desk) -> None:
    done = desk.run("tf-plan", "--environment", "staging", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 2
    assert done.stderr.startswith("there are no AWS credentials.\n  Sign in"), done.stderr


def test_credentials_that_expire_before_the_plan_is_made(desk: Desk, cloud: Cloud) -> None:
    """Terraform's own words of it: it asks AWS for itself."""
    bootstrapped(desk)
    with expired(cloud, after="GET"):
        done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert "the AWS credentials have expired." in done.stderr


def test_state_that_cannot_be_saved_is_not_lost(desk: Desk, cloud: Cloud) -> None:
    """Credentials that expire in the middle of an apply: what is there already would be made a second time."""
    bootstrapped(desk)
    with expired(cloud, after="CreateRepository"):
        done = desk.run("tf-apply", "--environment", "staging", "--yes")
    assert done.returncode == 2
    said, _, hint = done.stderr.partition("and run nothing before: ")
    assert f"Terraform could not save the state to {BUCKET}; all that it knows lies in infra/terraform/errored" in said
    assert "Applied: " in said
    unlock = desk.run("tf-apply", "--environment", "staging", "--yes").stderr.rpartition("gone for sure: ")[2].strip()
    if unlock:  # the lock could not be taken away either
        assert desk.shell(unlock.replace("force-unlock", "force-unlock -force")).returncode == 0
    pushed = desk.shell(hint.strip())
    assert pushed.returncode == 0, pushed.stderr
    assert desk.run("tf-apply", "--environment", "staging", "--yes").returncode == 0


def test_connection_that_breaks_in_an_answer_is_told(desk: Desk, cloud: Cloud) -> None:
    """The provider asks again after an error of the connection, but not once an answer has begun."""
    bootstrapped(desk)
    assert desk.run("tf-apply", "--environment", "staging", "--yes").returncode == 0
    with broken(cloud, action="DescribeRepositories"):
        done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert "a connection to AWS broke, or came to nothing, while Terraform worked.\n  Run the same again" in done.stderr
    assert "Nothing would change." in desk.run("tf-plan", "--environment", "staging").stdout


def test_terraform_that_lacks_is_told(desk: Desk) -> None:
    bare = desk.place / "bin"
    bare.mkdir()
    done = desk.run("tf-plan", "--environment", "staging", PATH=str(bare))
    assert done.returncode == 2 and "terraform is not on this machine." in done.stderr


def test_terraform_that_is_too_old_is_told(desk: Desk) -> None:
    old = desk.place / "bin" / "terraform"
    old.parent.mkdir()
    old.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    old.chmod(0o755)
    done = desk.run("tf-plan", "--environment", "staging", PATH=f"{old.parent}:{os.environ['PATH']}")
    assert done.returncode == 2
    assert "terraform 1.9 is here, and the root module needs 1.11 or newer." in done.stderr


def test_registry_that_is_not_reached_is_told(desk: Desk) -> None:
    """Through a proxy where nobody listens, as behind a firewall."""
    bootstrapped(desk)
    (desk.place / "direct.tfrc").write_text("provider_installation {\n  direct {}\n}\n")
    proxy = {"HTTPS_PROXY": "http://127.0.0.1:9", "TF_CLI_CONFIG_FILE": str(desk.place / "direct.tfrc")}
    done = desk.run("tf-plan", "--environment", "staging", **proxy)
    assert done.returncode == 2
    assert "Terraform cannot fetch its provider: the registry is not reached.\n  Check the network" in done.stderr


def test_provider_that_cannot_be_fetched_is_told(desk: Desk) -> None:
    bootstrapped(desk)
    (desk.place / "none.tfrc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{desk.place}" }}\n}}\n'
    )
    done = desk.run("tf-plan", "--environment", "staging", TF_CLI_CONFIG_FILE=str(desk.place / "none.tfrc"))
    assert done.returncode == 2 and "Terraform cannot fetch its provider" in done.stderr
