"""`./inv build --push` of a commit whose tag ECR has already: to a real registry, with moto answering for ECR."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws_models import conform, conform_refusal
from tests.integration.images import NAME, REGION, Said, built, checkout, commit, docker, inv
from tests.integration.moto_server import Cloud, Refused, cloud, moto
from tests.integration.registry import INDEX, PASSWORD, Registry, registry, serving

__all__ = ["built", "cloud", "moto", "registry"]
pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.full]

PUSHED = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
DOCKERFILE = 'FROM scratch\nCOPY app /app\nARG REVISION=""\nLABEL org.opencontainers.image.revision="${REVISION}"\n'


@pytest.fixture
def ecr(cloud: Cloud, registry: Registry) -> Iterator[Cloud]:
    """An account with the repository `ledger`, whose tags are immutable, and which has what its registry has."""
    with closing(boto3.client("ecr", region_name=REGION)) as client:
        client.create_repository(repositoryName="ledger", imageTagMutability="IMMUTABLE")
    cloud.registry_at(registry.host)
    cloud.play("DescribeImages", lambda given, _moto: images(registry, given))
    cloud.calls.clear()
    yield cloud
    if ours := docker("image", "ls", "--quiet", "--no-trunc", f"{registry.host}/ledger").split():
        docker("image", "rm", "--force", *dict.fromkeys(ours))


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A checkout of this test's own, and an image that is soon pushed."""
    (tmp_path / "own").mkdir()
    made = checkout(tmp_path / "own")
    (made / "app" / "Dockerfile").write_text(DOCKERFILE)
    commit(made)
    return made


def images(registry: Registry, given: dict[str, Any]) -> dict[str, Any]:
    """What ECR says of a tag."""
    (asked,) = given["imageIds"]
    try:
        with registry.asked(f"{given['repositoryName']}/manifests/{asked['imageTag']}") as answer:
            digest = answer.headers["Docker-Content-Digest"]
    except OSError:
        raise Refused(conform_refusal("ecr", "DescribeImages", "ImageNotFoundException")) from None
    return conform("DescribeImages", {"imageDetails": [{"imageDigest": digest, "imagePushedAt": PUSHED}]}, "ecr")


def push(root: Path, ecr: Cloud, *words: str) -> Said:
    said = inv(root, "build", "--push", "--environment", "staging", *words, AWS_ENDPOINT_URL=ecr.url)
    assert PASSWORD not in said.out + said.error
    return said


def tag(root: Path) -> str:
    argv = ["git", "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def released(root: Path) -> str:
    """The image of the release files; they are taken away."""
    directory = root / "build" / "release"
    assert {path.name for path in directory.iterdir()} == {"imageDetail.json", "taskdef.json", "appspec.yaml"}
    image = json.loads((directory / "imageDetail.json").read_text())["ImageURI"]
    shutil.rmtree(directory)
    return str(image)


def was_built(root: Path) -> bool:
    """Since it was asked last."""
    log = root / "build" / "image" / "build.log"
    there = log.exists()
    log.unlink(missing_ok=True)
    return there


def test_commit_that_is_there_is_released_and_neither_built_nor_pushed(
    root: Path, ecr: Cloud, registry: Registry
) -> None:
    assert push(root, ecr, "--yes").code == 0
    image = released(root)
    assert was_built(root)
    docker("image", "rm", "--force", image, f"{NAME}:{tag(root)}", f"{registry.host}/ledger:{tag(root)}")

    place, digest = f"{registry.host}/ledger:{tag(root)}", image.rpartition("@")[2]
    there = f"ECR repository ledger:{tag(root)}: there already, so it is neither built nor pushed\n"
    said = push(root, ecr, "--dry-run")
    assert (said.code, there in said.out, "docker buildx" in said.out) == (0, True, False)
    assert not (root / "build" / "release").exists()

    said = push(root, ecr)  # nothing leaves this machine: nobody is asked
    assert said.code == 0, said.error
    assert there in said.out
    assert (
        f"{place} is there already, pushed 2026-11-27 10:30 UTC: not built anew (another --tag would be)\n  {digest}\n"
        in said.out
    )
    assert (released(root), was_built(root)) == (image, False)
    assert docker("inspect", "--format", "{{.Architecture}}", image), "it can be rehearsed from here at once"


def test_what_is_there_is_released_by_the_digest_that_a_pull_gets(root: Path, ecr: Cloud, registry: Registry) -> None:
    """Also where that is of an index, as builders push it that attest where an image comes from."""
    assert push(root, ecr, "--yes").code == 0
    released(root), was_built(root)
    with registry.asked(f"ledger/manifests/{tag(root)}") as answer:
        kind, text, of_image = answer.headers["Content-Type"], answer.read(), answer.headers["Docker-Content-Digest"]
    listed = {"mediaType": kind, "digest": of_image, "size": len(text)}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            {**listed, "platform": {"architecture": "amd64", "os": "linux"}},
            {**listed, "platform": {"architecture": "unknown", "os": "unknown"}},
        ],
    }
    with registry.asked(f"ledger/manifests/{tag(root)}", put=json.dumps(index).encode()) as answer:
        digest = answer.headers["Docker-Content-Digest"]
    said = push(root, ecr)
    assert said.code == 0, said.error
    assert (released(root), digest == of_image) == (f"{registry.host}/ledger@{digest}", False)


def test_tag_that_was_given_is_released_again_for_the_same_commit_alone(root: Path, ecr: Cloud) -> None:
    assert push(root, ecr, "--yes", "--tag", "v1").code == 0
    first, image = tag(root), released(root)
    assert (push(root, ecr, "--tag", "v1").code, released(root)) == (0, image)
    commit(root)
    said = push(root, ecr, "--yes", "--tag", "v1")
    assert said.code == 2
    assert f"/ledger:v1 is there already, built from {first}" in said.error
    assert f", and this is {tag(root)}" in said.error
    assert "  ECR lets no other take its place: give another --tag.\n" in said.error
    assert not (root / "build" / "release").exists()


def test_tag_is_all_that_a_source_without_git_has(root: Path, ecr: Cloud) -> None:
    """As CodePipeline's source in S3 is, of which `Release change` builds the same version again."""
    shutil.rmtree(root / ".git")
    assert push(root, ecr, "--yes", "--tag", "source-1").code == 0
    image = released(root)
    assert was_built(root)
    assert push(root, ecr, "--yes", "--tag", "source-1").code == 0
    assert (released(root), was_built(root)) == (image, False)


def test_build_without_a_cache_wants_a_tag_of_its_own(root: Path, ecr: Cloud) -> None:
    assert push(root, ecr, "--yes").code == 0
    released(root), was_built(root)
    said = push(root, ecr, "--yes", "--no-cache")
    assert (said.code, was_built(root)) == (2, False)
    assert said.error.endswith(
        f"/ledger:{tag(root)} is there already, pushed 2026-11-27 10:30 UTC, and ECR lets no other take its place.\n"
        f"  Name the new one: --tag {tag(root)}-2; or leave out --no-cache: then the one that is there is released.\n"
    )


def test_dirty_tree_is_built_whatever_is_there(root: Path, ecr: Cloud) -> None:
    (root / "app" / "new.txt").write_text("")
    assert push(root, ecr, "--yes", "--dirty").code == 0
    assert was_built(root)
    assert ecr.called("DescribeImages") == []


def test_tag_that_somebody_pushes_meanwhile_is_released(root: Path, ecr: Cloud, registry: Registry) -> None:
    """Their push comes between the question and ours, which is refused, as ECR refuses it."""
    assert push(root, ecr, "--yes").code == 0
    digest = released(root).rpartition("@")[2]
    was_built(root)
    with serving(registry.root, read_only=True) as theirs:
        ecr.registry_at(theirs.host)
        asked: list[object] = []

        def answer(given: dict[str, Any], _moto: object) -> dict[str, Any]:
            asked.append(given)
            if len(asked) == 1:
                raise Refused("ImageNotFoundException")
            return images(theirs, given)

        ecr.play("DescribeImages", answer)
        said = push(root, ecr, "--yes")
        assert said.code == 0, said.error
        assert (len(asked), was_built(root)) == (2, True)
        assert f"{theirs.host}/ledger:{tag(root)} is there already, pushed " in said.out
        assert released(root) == f"{theirs.host}/ledger@{digest}"


def test_image_for_other_processors_than_the_tasks_is_not_pushed_or_released(
    root: Path, ecr: Cloud, registry: Registry
) -> None:
    template = root / "ci" / "taskdef.json"
    ours = docker("version", "--format", "{{.Server.Arch}}")
    processors = {"amd64": "X86_64", "arm64": "ARM64"}
    (other,) = processors.keys() - {ours}

    def say(processor: str) -> None:
        template.write_text(
            re.sub(r'"cpuArchitecture": "\w+"', f'"cpuArchitecture": "{processor}"', template.read_text())
        )
        commit(root)

    say(processors[other])
    refused = f"the image is for {ours}, and ci/taskdef.json says cpuArchitecture: {processors[other]}: no task of it "
    said = push(root, ecr, "--yes")
    assert (said.code, was_built(root), refused in said.error) == (2, True, True)
    assert f"  Build it with --platform linux/{other}, on a machine" in said.error
    with registry.asked("_catalog") as answer:
        assert json.load(answer) == {"repositories": []}

    say(processors[ours])
    said = push(root, ecr, "--yes", "--platform", f"linux/{other}")  # known before the build
    assert (said.code, was_built(root), f"the image is for {other}, and " in said.error) == (2, False, True)

    shutil.rmtree(root / ".git")  # nothing but the tag says what it is of
    assert push(root, ecr, "--yes", "--tag", "source-1").code == 0
    released(root)
    template.write_text(template.read_text().replace(processors[ours], processors[other]))
    said = push(root, ecr, "--yes", "--tag", "source-1")
    assert (said.code, refused in said.error) == (2, True)
    assert f"  Build it with --platform linux/{other} --tag source-1-2, on a machine" in said.error
    assert not (root / "build" / "release").exists()


def test_push_without_the_right_to_look(root: Path, ecr: Cloud) -> None:
    ecr.refuse("DescribeImages", "AccessDeniedException", "User: x is not authorized to perform: ecr:DescribeImages")
    said = push(root, ecr, "--yes")
    assert (said.code, said.error.splitlines()[0]) == (2, "AWS does not let this identity do ecr:DescribeImages.")
