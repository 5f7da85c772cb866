"""What a test of releases finds or does first: a document, a further revision, a deployment under way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration import deployments as fake
from tests.integration.release_environment import definition
from tests.integration.release_stage import DIGEST, OTHER, Stage, rehearsal

IMAGE = ("--image", DIGEST)
UNHEALTHY = """<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">
<DescribeTargetHealthResult><TargetHealthDescriptions><member><Target><Id>10.0.0.9</Id><Port>8000</Port></Target>
<TargetHealth><State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason>
<Description>Health checks failed with these codes: [400]</Description></TargetHealth></member>
</TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"""


def deploy(stage: Stage, *words: str) -> Any:
    return stage.staging("deploy", "--image", DIGEST, "--yes", *words)


def revision(stage: Stage, digest: str) -> str:
    """A further revision, of an image; its ARN."""
    answer = stage.client("ecs").register_task_definition(**definition(digest))
    stage.clear()
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def released(stage: Stage) -> None:
    """Revision 2, of DIGEST, runs; 1 ran before."""
    stage.deployments.add(fake.SUCCESS, stage.service["taskSets"][0]["taskDefinition"], step=9)
    after = revision(stage, DIGEST)
    stage.deployments.add(fake.SUCCESS, after, step=9)
    stage.service["taskSets"][0]["taskDefinition"] = after


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AWS CLI and its plugin, as far as they are called: the file has the words."""
    said = tmp_path / "said"
    for name in ("aws", "session-manager-plugin"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {said}\nexit 7\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return said


def report(stage: Stage, **changes: Any) -> Path:
    """A rehearsal's document, as one of this machine."""
    made = rehearsal(lambda one: [setattr(one, name, value) for name, value in changes.items()] and None)
    directory = stage.root / "build" / "rehearsals" / "latest"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rehearsal.json").write_text(made.to_json())
    return directory


def further(stage: Stage) -> str:
    """A further revision of what runs; its ARN."""
    return revision(stage, OTHER)


def under_way(stage: Stage) -> None:
    stage.deployments.add((fake.Moment("InProgress", 6, green=50.0),), stage.service["taskSets"][0]["taskDefinition"])
