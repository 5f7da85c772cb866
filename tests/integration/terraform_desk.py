"""A checkout with a small root module, for `tf-*` as typed: real Terraform, the real AWS provider, moto for AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.infra.module import need_terraform
from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto

__all__ = ["cloud", "moto"]
ROOT = Path(__file__).parents[2]
BUCKET = "shop-staging-terraform-123456789012"

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
resource "aws_ecr_repository" "this" {
  depends_on = [aws_ssm_parameter.size] # one after the other, so that it is known what has been applied
  name       = "shop-${var.size}"
}
output "repository" { value = aws_ecr_repository.this.repository_url }
output "secret" {
  value     = "pl4nted-output"
  sensitive = true
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
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            argv, cwd=self.place, env=environment, text=True, start_new_session=True, **streams
        )

    def run(self, *words: str, **others: Any) -> subprocess.CompletedProcess[str]:
        with self.start(*words, **others) as child:
            out, err = child.communicate(timeout=240)
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """What a person pastes into the terminal."""
        return subprocess.run(
            ["bash", "-ec", command], cwd=self.place, env=self.environment, capture_output=True, text=True, timeout=120
        )

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
    need_terraform()
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
