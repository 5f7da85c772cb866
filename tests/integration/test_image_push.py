"""`./inv build --push` to a real registry, with moto answering for ECR."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import boto3
import pytest
import yaml

from tests.integration.images import NAME, REGION, Said, built, docker, inv
from tests.integration.moto_server import Cloud, cloud, moto
from tests.integration.registry import PASSWORD, USER, Registry, registry

__all__ = ["built", "cloud", "moto", "registry"]
pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.full]


@pytest.fixture
def ecr(cloud: Cloud, registry: Registry) -> Cloud:
    """An account with the repository `ledger`, whose layers the real registry takes."""
    with closing(boto3.client("ecr", region_name=REGION)) as client:
        client.create_repository(repositoryName="ledger")
    cloud.registry_at(registry.host)
    cloud.calls.clear()
    return cloud


def push(built: Path, ecr: Cloud, *words: str, tag: str, **environment: str) -> Said:
    said = inv(
        built,
        *("build", "--push", "--tag", tag, "--environment", "staging", *words),
        AWS_ENDPOINT_URL=ecr.url,
        **environment,
    )
    assert PASSWORD not in said.out + said.error
    return said


def refused(registry: Registry) -> None:
    """Nothing came to the registry."""
    with registry.asked("_catalog") as answer:
        assert json.load(answer) == {"repositories": []}


def test_push_writes_the_release_files_from_the_digest_that_the_registry_has(
    built: Path, ecr: Cloud, registry: Registry, tmp_path: Path
) -> None:
    said = push(built, ecr, "--yes", tag="v1", DOCKER_CONFIG=str(tmp_path))
    assert said.code == 0, said.error
    place = f"{registry.host}/ledger"
    with registry.asked("ledger/manifests/v1") as answer:
        digest = answer.headers["Docker-Content-Digest"]
    assert docker("inspect", "--format", "{{.Id}}", f"{place}@{digest}") == docker(
        "inspect", "--format", "{{.Id}}", f"{NAME}:v1"
    ), "so it can be rehearsed from here at once"
    release = built / "build" / "release"
    assert json.loads((release / "imageDetail.json").read_text()) == {"ImageURI": f"{place}@{digest}"}
    definition = json.loads((release / "taskdef.json").read_text())
    assert definition["containerDefinitions"][0]["image"] == "<IMAGE1_NAME>"
    appspec = yaml.safe_load((release / "appspec.yaml").read_text())
    assert appspec["Resources"][0]["TargetService"]["Properties"]["TaskDefinition"] == "<TASK_DEFINITION>"
    assert f"pushed {place}:v1\n  {digest}\n" in said.out
    assert "push it for staging: account 123456789012, eu-central-1, ECR repository ledger:v1\n" in said.out
    assert PASSWORD not in "".join(p.read_text(errors="replace") for p in tmp_path.rglob("*") if p.is_file())
    asked_for = {call.action for call in ecr.calls}
    assert asked_for == {"GetCallerIdentity", "DescribeRepositories", "GetAuthorizationToken"}


def test_pushed_digest_can_be_pulled_and_is_what_was_built(
    built: Path, ecr: Cloud, registry: Registry, tmp_path: Path
) -> None:
    assert push(built, ecr, "--yes", tag="v2").code == 0
    image = json.loads((built / "build" / "release" / "imageDetail.json").read_text())["ImageURI"]
    argv = ["docker", "--config", str(tmp_path), "login", "--username", USER, "--password-stdin", registry.host]
    subprocess.run(argv, input=PASSWORD, text=True, check=True, capture_output=True)
    try:
        docker("--config", str(tmp_path), "pull", image)
        assert docker("inspect", "--format", "{{.Id}}", image) == docker("inspect", "--format", "{{.Id}}", f"{NAME}:v2")
    finally:
        docker("image", "rm", image)


def test_push_that_fails_leaves_no_name_but_that_of_an_earlier_one(built: Path, ecr: Cloud, registry: Registry) -> None:
    assert push(built, ecr, "--yes", tag="twice").code == 0
    image = json.loads((built / "build" / "release" / "imageDetail.json").read_text())["ImageURI"]
    shutil.rmtree(registry.root / "docker")
    (registry.root / "docker").touch()  # it can write nothing any more
    tags = ("twice", "never")
    with ThreadPoolExecutor() as pool:  # side by side: the engine tries for almost a minute
        pushed = list(pool.map(lambda tag: push(built, ecr, "--yes", tag=tag), tags))
    for tag, said in zip(tags, pushed, strict=True):
        assert said.code == 2 and f"/ledger:{tag} could not be pushed: " in said.error, said.error
    assert docker("inspect", "--format", "{{.Id}}", image) == docker("inspect", "--format", "{{.Id}}", f"{NAME}:twice")
    assert docker("image", "ls", "--quiet", f"{registry.host}/ledger:never") == ""


def test_dry_run_of_a_push_shows_and_does_nothing(built: Path, ecr: Cloud, registry: Registry) -> None:
    said = push(built, ecr, "--dry-run", tag="dry")
    assert (said.code, docker("image", "ls", "--quiet", f"{NAME}:dry")) == (0, "")
    assert re.search(r"^  docker buildx build --load .* --tag \S+:dry ", said.out, re.MULTILINE)
    refused(registry)


def test_push_asks_first(built: Path, ecr: Cloud, registry: Registry) -> None:
    said = push(built, ecr, tag="asked")
    assert said.code == 2
    assert said.error == "nobody is there to ask.\n  Add --yes to do it, or --dry-run to only see it.\n"
    refused(registry)


def test_push_of_a_dirty_tree_is_refused(built: Path, ecr: Cloud, registry: Registry) -> None:
    new = built / "app" / "new.txt"
    new.write_text("")
    try:
        said = push(built, ecr, "--yes", tag="dirty")
    finally:
        new.unlink()
    assert (said.code, said.error.splitlines()[0]) == (
        1,
        "the tree differs from its commit, and what is pushed should be found again.",
    )
    refused(registry)


def test_push_of_files_that_git_ignores_is_refused(built: Path, ecr: Cloud, registry: Registry) -> None:
    """The pycache of our own runs is left out of the context, and stops nothing."""
    ignored = built / "app" / "dist" / "customers.sql"
    ignored.parent.mkdir()
    ignored.write_text("")
    (built / "app" / "config" / "__pycache__").mkdir(exist_ok=True)
    (built / "app" / "config" / "__pycache__" / "urls.cpython-313.pyc").write_text("")
    try:
        said = push(built, ecr, "--yes", tag="ignored")
    finally:
        shutil.rmtree(ignored.parent)
    assert (said.code, said.error.splitlines()[0]) == (
        1,
        "git does not track what the image would have: app/dist/customers.sql; and what is pushed should be found "
        "again.",
    )
    refused(registry)
    said = push(built, ecr, "--dry-run", tag="ignored")
    assert said.code == 0, said.error


def test_push_to_a_repository_that_is_missing(built: Path, cloud: Cloud, registry: Registry) -> None:
    said = push(built, cloud, "--yes", tag="v1")
    assert said.code == 2
    assert said.error.splitlines() == [
        "ECR has no repository ledger in account 123456789012, eu-central-1.",
        "  Make it: aws ecr create-repository --repository-name ledger --region eu-central-1 "
        "--image-tag-mutability IMMUTABLE; or name another: repository = in [tool.greenroom.image].",
    ]


def test_push_into_another_account_is_refused(built: Path, ecr: Cloud) -> None:
    said = inv(built, "build", "--push", "--yes", "--environment", "other", AWS_ENDPOINT_URL=ecr.url)
    assert (said.code, said.error.splitlines()[0]) == (
        2,
        "these AWS credentials are of account 123456789012, and other is in 210987654321.",
    )
    assert [call.action for call in ecr.calls] == ["GetCallerIdentity"]


@pytest.mark.parametrize("action", ["DescribeRepositories", "GetAuthorizationToken"])
def test_push_without_permission(built: Path, ecr: Cloud, action: str) -> None:
    ecr.refuse(action, "AccessDeniedException", f"User: x is not authorized to perform: ecr:{action} on resource: *")
    said = push(built, ecr, "--yes", tag="v1")
    assert (said.code, said.error.splitlines()[0]) == (2, f"AWS does not let this identity do ecr:{action}.")


def test_push_where_the_registry_does_not_take_the_password(built: Path, ecr: Cloud, registry: Registry) -> None:
    registry.let_in("another")
    said = push(built, ecr, "--yes", tag="nobody")
    assert said.code == 2
    assert re.search(rf"^the registry {registry.host} does not let us in: ", said.error, re.MULTILINE)
    assert docker("image", "ls", "--quiet", f"{NAME}:nobody") == ""  # said before the build, which is long


def test_push_with_a_bad_template_is_refused_before_the_build(built: Path, ecr: Cloud) -> None:
    template = built / "ci" / "taskdef.json"
    text = template.read_text()
    try:
        template.write_text(text.replace("<IMAGE1_NAME>", "<IMAGE>"))
        said = push(built, ecr, "--yes", "--dirty", tag="bad")
    finally:
        template.write_text(text)
    assert (said.code, said.error.splitlines()[0]) == (2, "ci/taskdef.json: <IMAGE> is filled in by nobody.")
    assert docker("image", "ls", "--quiet", f"{NAME}:bad") == ""
