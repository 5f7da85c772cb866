"""Which image serves in an environment: by its digest, and only one of the environment's own repository."""

from __future__ import annotations

import pytest

from greenroom.release import running
from tests.release.scene import ACCOUNT, DEFINITION, DIGEST, REGION, Played

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ledger"
OURS, PROXY = f"{REPOSITORY}@{DIGEST}", f"{REPOSITORY}-proxy@{DIGEST}"
BOOTSTRAP = "public.ecr.aws/docker/library/python:3.13-slim"


@pytest.mark.parametrize(
    ("images", "ours"),
    [
        ([OURS], OURS),
        ([PROXY, OURS], OURS),
        ([PROXY], None),
        ([BOOTSTRAP], None),
        ([f"{REPOSITORY}:latest"], None),
    ],
)
def test_image_is_of_the_environments_repository(images: list[str], ours: str | None) -> None:
    containers = [{"name": f"one-{number}", "image": image} for number, image in enumerate(images)]
    described = {"taskDefinition": {"taskDefinitionArn": f"{DEFINITION}:1", "containerDefinitions": containers}}
    guard = Played(describe_task_definition=described)
    assert running.image_of(guard, REPOSITORY, f"{DEFINITION}:1") == ours


def test_service_without_a_task_definition_serves_nothing() -> None:
    assert running.image_of(Played(), REPOSITORY, None) is None
