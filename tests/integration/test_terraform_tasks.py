"""`tf-*` as typed, on a small root module."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.moto_server import Cloud
from tests.integration.release_stage import READS
from tests.integration.terraform_desk import BUCKET, Desk, bootstrapped, cloud, desk, moto

__all__ = ["cloud", "desk", "moto"]
pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]


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
    told = json.loads(every.stdout)
    assert told["repository"].endswith("/shop-small") and told["secret"] is None
    one = desk.run("tf-output", "--environment", "staging", "--name", "repository")
    assert one.stdout == f"{told['repository']}\n"

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


def test_no_write_leaves_in_a_dry_run(desk: Desk, cloud: Cloud) -> None:
    """Not even a lock."""
    bootstrapped(desk)
    cloud.calls.clear()
    shown = desk.run("tf-apply", "--environment", "staging", "--dry-run")
    assert (shown.returncode, writes(cloud)) == (0, []), shown.stderr
    assert "  + aws_ecr_repository.this  created\n" in shown.stdout and "2 created" in shown.stdout
    assert desk.run("tf-apply", "--environment", "staging", "--yes").returncode == 0
    assert "CreateRepository" in writes(cloud) and "PUT" in writes(cloud), "they would be seen"
    cloud.calls.clear()
    shown = desk.run("tf-destroy", "--environment", "staging", "--dry-run")
    assert (shown.returncode, writes(cloud)) == (0, []), shown.stderr
    assert "  - aws_ecr_repository.this  DESTROYED\n" in shown.stdout


def writes(cloud: Cloud) -> list[str]:
    return [call.action for call in cloud.calls if not call.action.startswith(READS)]


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


def test_kept_plan_of_another_environment_is_refused(desk: Desk) -> None:
    """In one account: Terraform itself applies a plan to the state that it was made for, whatever we were told."""
    for file in ((desk.module / "environments" / "staging.tfvars"), desk.module / "environments/staging.s3.tfbackend"):
        text = file.read_text().replace('"staging"', '"trial"').replace('key = "shop"', 'key = "trial"')
        file.with_name(file.name.replace("staging", "trial")).write_text(text)
    configuration = desk.place / "pyproject.toml"
    staging = configuration.read_text()
    configuration.write_text(staging + staging.replace("environments.staging", "environments.trial"))
    bootstrapped(desk)
    kept = desk.place / "kept"
    kept.touch(mode=0o644)
    assert desk.run("tf-plan", "--environment", "trial", "--out", str(kept)).returncode == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    done = desk.run("tf-apply", "--environment", "staging", "--plan", str(kept), "--yes")
    assert done.returncode == 2
    assert f"the plan {kept} is of environment trial, and not of staging.\n  Name the environment" in done.stderr
    with closing(desk.client("ssm")) as ssm:
        assert ssm.describe_parameters()["Parameters"] == []
    assert desk.run("tf-apply", "--environment", "trial", "--plan", str(kept), "--yes").returncode == 0


def test_plan_is_kept_only_where_it_can_be(desk: Desk) -> None:
    """Said before the plan is made, which takes minutes."""
    bootstrapped(desk)
    done = desk.run("tf-plan", "--environment", "staging", "--out", str(desk.place / "nowhere" / "kept"))
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"there is no directory {desk.place / 'nowhere'}.")


def test_terraform_is_prepared_once_and_again_for_other_files(desk: Desk) -> None:
    bootstrapped(desk)
    read = ("tf-output", "--environment", "staging")
    assert "terraform init" in desk.run(*read).stderr
    assert "terraform init" not in desk.run(*read).stderr
    (desk.module / "more.tf").write_text('output "more" { value = "x" }\n')
    again = desk.run(*read)
    assert again.returncode == 0 and "terraform init" in again.stderr
    shutil.rmtree(desk.place / "build")
    assert "terraform init" in desk.run(*read).stderr


def test_stand_in_of_the_option_goes_before_the_environments(desk: Desk) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    there = ("--environment", "staging", "--endpoint-url", desk.endpoint)
    assert desk.run("tf-bootstrap", *there, "--yes", **nowhere).returncode == 0
    done = desk.run("tf-plan", *there, **nowhere)
    assert done.returncode == 0, done.stderr
    assert f"staging: account 123456789012, us-east-1, /shop/staging, by {desk.endpoint}\n" in done.stdout
