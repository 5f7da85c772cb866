"""`tf-*` as typed, on a small root module: real Terraform, the real AWS provider, moto for AWS."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto

__all__ = ["cloud", "moto"]
ROOT = Path(__file__).parents[2]
BUCKET = "shop-staging-terraform-123456789012"
pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]

MODULE = """
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.100, < 7" }
  }
  backend "s3" { use_lockfile = true }
}
provider "aws" {
  region      = var.region
  max_retries = 1
}
variable "environment" {}
variable "account" {}
variable "region" {}
variable "size" { default = "small" }
resource "aws_ssm_parameter" "size" {
  name  = "/shop/size"
  type  = "String"
  value = var.size
}
resource "aws_ecr_repository" "this" { name = "shop-${var.size}" }
output "repository" { value = aws_ecr_repository.this.repository_url }
output "secret" {
  value     = "pl4nted-output"
  sensitive = true
}
"""
AFTERWARDS = """
resource "aws_ssm_parameter" "after" {
  depends_on = [aws_ecr_repository.this]
  name       = "/shop/after"
  type       = "String"
  value      = "x"
}
"""


@dataclass(frozen=True)
class Desk:
    """A checkout with a root module, and AWS as moto plays it."""

    place: Path
    endpoint: str

    @property
    def module(self) -> Path:
        return self.place / "infra" / "terraform"

    @property
    def environment(self) -> dict[str, str]:
        mirror = {name: os.environ[name] for name in ("TF_CLI_CONFIG_FILE",) if name in os.environ}
        told = {"PATH": os.environ["PATH"], "HOME": str(self.place), "PYTHONPATH": str(ROOT), **CREDENTIALS, **mirror}
        return {**told, "AWS_ENDPOINT_URL": self.endpoint, "AWS_MAX_ATTEMPTS": "1", "CHECKPOINT_DISABLE": "1"}

    def start(self, *words: str, **others: Any) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "greenroom", *words]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        environment = {**self.environment, **others}
        return subprocess.Popen(argv, cwd=self.place, env=environment, text=True, **streams)  # type: ignore[call-overload,no-any-return]

    def run(self, *words: str, **others: Any) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **others) as child:
            out, err = child.communicate(timeout=240)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture
def desk(tmp_path: Path, cloud: Cloud) -> Desk:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not on this machine")
    made = Desk(tmp_path / "shop", cloud.url)
    environments = made.module / "environments"
    environments.mkdir(parents=True)
    (made.module / "main.tf").write_text(MODULE)
    (environments / "staging.tfvars").write_text(
        'environment = "staging"\naccount = "123456789012"\nregion = "us-east-1"\n'
    )
    (environments / "staging.s3.tfbackend").write_text(f'bucket = "{BUCKET}"\nkey = "shop"\nregion = "us-east-1"\n')
    (made.place / "pyproject.toml").write_text(
        "[tool.greenroom.environments.staging]\n"
        'ssm_path = "/shop/staging"\nregion = "us-east-1"\naccount = "123456789012"\n'
    )
    (made.place / "tasks.py").write_text("from greenroom.tasks import namespace as namespace\n")
    return made


def bootstrapped(desk: Desk) -> Desk:
    done = desk.run("tf-bootstrap", "--environment", "staging", "--yes")
    assert done.returncode == 0, done.stderr
    return desk


def test_bootstrap_makes_a_closed_bucket_once(desk: Desk) -> None:
    shown = desk.run("tf-bootstrap", "--environment", "staging", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert f"  + make the bucket {BUCKET} in us-east-1\n" in shown.stdout
    with closing(desk.client("s3")) as s3:
        assert s3.list_buckets()["Buckets"] == []
        bootstrapped(desk)
        assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
        assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
        assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"][0]["Effect"] == "Deny"
        assert s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    again = desk.run("tf-bootstrap", "--environment", "staging")
    assert again.returncode == 0 and f"The bucket {BUCKET} is there, and as it should be." in again.stdout


def test_plan_apply_change_replace_and_destroy(desk: Desk) -> None:
    """As a team lives with it; what is precious goes only by its name, and nothing is left."""
    bootstrapped(desk)
    planned = desk.run("tf-plan", "--environment", "staging", "--check")
    assert planned.returncode == 1, planned.stderr
    assert "staging: account 123456789012, us-east-1, /shop/staging" in planned.stdout
    assert "  + aws_ecr_repository.this  created\n" in planned.stdout and "2 created" in planned.stdout

    unasked = desk.run("tf-apply", "--environment", "staging")
    assert unasked.returncode == 2 and "nobody is there to ask." in unasked.stderr

    applied = desk.run("tf-apply", "--environment", "staging", "--yes")
    assert applied.returncode == 0, applied.stderr
    assert "Applied: 2 of 2." in applied.stdout
    empty = desk.run("tf-plan", "--environment", "staging", "--check")
    assert empty.returncode == 0 and "Nothing would change." in empty.stdout

    every = desk.run("tf-output", "--environment", "staging")
    assert every.returncode == 0, every.stderr
    told = json.loads(every.stdout.partition("\n")[2])
    assert told["repository"].endswith("/shop-small") and told["secret"] is None
    one = desk.run("tf-output", "--environment", "staging", "--name", "repository")
    assert one.stdout.splitlines()[-1] == told["repository"]

    with (desk.module / "environments" / "staging.tfvars").open("a") as values:
        values.write('size = "large"\n')
    refused = desk.run("tf-apply", "--environment", "staging", "--yes")
    assert refused.returncode == 2
    assert "aws_ecr_repository.this (repository) would be REPLACED; nothing was applied." in refused.stderr
    assert "--allow-destroy 'aws_ecr_repository.this'" in refused.stderr
    assert "  ± aws_ecr_repository.this  REPLACED, because of name\n" in refused.stdout
    assert "  ~ aws_ssm_parameter.size   changed: " in refused.stdout
    meant = ("--allow-destroy", "aws_ecr_repository.this")
    assert desk.run("tf-apply", "--environment", "staging", "--yes", *meant).returncode == 0

    assert desk.run("tf-destroy", "--environment", "staging", "--yes").returncode == 2
    gone = desk.run("tf-destroy", "--environment", "staging", "--yes", *meant)
    assert gone.returncode == 0, gone.stderr
    with closing(desk.client("ecr")) as ecr, closing(desk.client("ssm")) as ssm:
        assert ecr.describe_repositories()["repositories"] == []
        assert ssm.describe_parameters()["Parameters"] == []
    assert not list(Path("/tmp").glob("greenroom-plan-*"))


def test_kept_plan_is_applied_as_it_was_made(desk: Desk) -> None:
    bootstrapped(desk)
    kept = desk.place / "kept"
    assert desk.run("tf-plan", "--environment", "staging", "--out", str(kept)).returncode == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    assert desk.run("tf-apply", "--environment", "staging", "--plan", str(kept), "--yes").returncode == 0
    stale = desk.run("tf-apply", "--environment", "staging", "--plan", str(kept), "--yes")
    assert (
        stale.returncode == 2 and "the state has changed since this was planned; nothing was applied." in stale.stderr
    )


def test_interrupt_reaches_terraform_once_and_leaves_no_lock(desk: Desk, cloud: Cloud) -> None:
    """The person is told what is there, what is not, and what the provider has given up in the middle of."""
    bootstrapped(desk)
    (desk.module / "afterwards.tf").write_text(AFTERWARDS)
    begun, go_on, moto = threading.Event(), threading.Event(), cloud.application

    def slow(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environment.get("HTTP_X_AMZ_TARGET", "").endswith(".CreateRepository"):
            begun.set()
            go_on.wait(60)
            start("500 given up", [("Content-Length", "0")])
            return []
        return moto(environment, start)

    cloud.application = slow
    try:
        with desk.start("tf-apply", "--environment", "staging", "--yes") as child:
            assert begun.wait(120)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=120)
    finally:
        go_on.set()
        cloud.application = moto
    assert child.returncode == 130, err
    assert "Terraform finishes what it has begun and saves its state" in err
    assert "Stopped. Applied: " in out and " of 3.\n" in out
    (cut_off,) = [line for line in out.splitlines() if line.startswith("Cut off: ")]
    assert "aws_ecr_repository.this" in cut_off and cut_off.endswith("it may be in AWS, and is not in the state.")
    finished = desk.run("tf-apply", "--environment", "staging", "--yes")  # the state is not locked, and knows it all
    assert finished.returncode == 0, finished.stderr
    assert "  + aws_ecr_repository.this " in finished.stdout and "  + aws_ssm_parameter.after " in finished.stdout


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
    assert "force-unlock 11111111-2222-3333-4444-555555555555" in done.stderr


def test_state_without_a_bucket_is_told(desk: Desk) -> None:
    done = desk.run("tf-plan", "--environment", "staging")
    assert done.returncode == 2
    assert f"the bucket of the state, {BUCKET}, does not exist." in done.stderr
    assert "Make it, once: ./inv tf-bootstrap --environment staging" in done.stderr


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


def test_terraform_that_lacks_is_told(desk: Desk) -> None:
    bare = desk.place / "bin"
    bare.mkdir()
    done = desk.run("tf-plan", "--environment", "staging", PATH=str(bare))
    assert done.returncode == 2 and "terraform is not on this machine." in done.stderr


def test_provider_that_cannot_be_fetched_is_told(desk: Desk) -> None:
    bootstrapped(desk)
    (desk.place / "none.tfrc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{desk.place}" }}\n}}\n'
    )
    done = desk.run("tf-plan", "--environment", "staging", TF_CLI_CONFIG_FILE=str(desk.place / "none.tfrc"))
    assert done.returncode == 2 and "Terraform cannot fetch its provider" in done.stderr
