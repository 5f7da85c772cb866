"""The pipeline: each command of a buildspec in a shell of its own, as CodeBuild runs it, and CodePipeline's part."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from tests.infra.checkout import Said
from tests.integration.registry import PASSWORD, registry
from tests.integration.release_desk import Desk, cloud, database, desk, moto, next_version, stage
from tests.integration.release_environment import NAME
from tests.integration.release_stage import checkout

__all__ = ["checkout", "cloud", "database", "desk", "moto", "registry", "stage"]

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers")]

AWS = (
    f"#!/bin/sh\n[ \"$*\" = 'ecr get-login-password' ] && echo {PASSWORD}\n"  # its command line, as far as it is called
)
FAILS = "migrations.RunSQL('SELECT 1 / 0')"


def alone(command: str, kept: Path) -> str:
    """A shell of its own, which gets from the one before what it has exported and its working directory, no more."""
    carried, directory = shlex.quote(str(kept / "exported")), shlex.quote(str(kept / "directory"))
    script = kept / f"command-{hashlib.sha256(command.encode()).hexdigest()[:8]}"
    script.write_text(command + "\n")
    before = f'if [ -e {carried} ]; then . {carried}; cd "$(cat {directory})"; fi'
    after = f"code=$?; export -p > {carried}; pwd > {directory}; exit $code"
    return f"sh -c {shlex.quote(f'{before}; . {script}; {after}')}"


def codebuild(desk: Desk, buildspec: str, code: int = 0) -> Said:
    """A phase ends with its first command that fails; POST_BUILD runs all the same, and the build has failed."""
    root = desk.checkout.root
    whole = yaml.safe_load((root / "ci" / buildspec).read_text())
    phases = [whole["phases"].get(name, {}).get("commands", []) for name in ("build", "post_build")]
    lines = [
        " && ".join(alone(command, root.parent) for command in commands) + " || failed=1"
        for commands in phases
        if commands
    ]
    names = whole.get("env", {}).get("exported-variables", [])
    exported = [alone(f'echo "{name}=${name}"', root.parent) for name in names]
    variables = {
        "CODEBUILD_SRC_DIR_release": str(root / "build" / "release"),  # an artifact of the build stage
        "GREENROOM_ENVIRONMENT": "staging",
        "GREENROOM_TARGET": "staging",
        "GREENROOM_MODE": "remote",
        "GREENROOM_DRILLS": "back",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "._Mq/3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY",
    }
    (root.parent / "bin").mkdir(exist_ok=True)
    (root.parent / "bin" / "aws").write_text(AWS)
    (root.parent / "bin" / "aws").chmod(0o755)
    told = [f"export {name}={value}" for name, value in variables.items()]
    for name in ("exported", "directory"):  # of the build before
        (root.parent / name).unlink(missing_ok=True)
    told.append(f'export PATH="{root.parent / "bin"}:$PATH"')
    return desk.type("\n".join(["set +e; failed=0", *told, *lines, *exported, "exit $failed"]), code)


def deploy_stage(desk: Desk) -> None:
    """CodeDeployToECS: the artifact's files, filled in, and a deployment."""
    artifact = desk.checkout.root / "build" / "release"
    image = json.loads((artifact / "imageDetail.json").read_text())["ImageURI"]
    definition = json.loads((artifact / "taskdef.json").read_text().replace("<IMAGE1_NAME>", image))
    registered = desk.stage.client("ecs").register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
    appspec = (artifact / "appspec.yaml").read_text().replace("<TASK_DEFINITION>", registered)
    desk.stage.client("codedeploy").create_deployment(
        applicationName=NAME,
        deploymentGroupName=NAME,
        revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": appspec}},
    )


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_stages_one_after_the_other(desk: Desk) -> None:
    said = codebuild(desk, "buildspec.yml")
    assert f"IMAGE_URI={desk.image}\n" in said.out
    assert files(desk.checkout.root / "build" / "release") == ["appspec.yaml", "imageDetail.json", "taskdef.json"]

    said = codebuild(desk, "buildspec-migrate.yml", code=1)
    assert said.error.startswith(f"no rehearsal of {desk.digest[:19]} is known: not released.\n")
    assert desk.writes == [], "the gate stands in the pipeline too"

    said = codebuild(desk, "buildspec-rehearse.yml")
    made = desk.rehearsal
    place = f"rehearsals/{desk.digest}/{made['plan']['fingerprint']}/rehearsal.json"
    assert said.out.endswith(f"VERDICT={made['verdict']}\nDOCUMENT={place}\n")
    assert desk.stage.objects(place) == [made]
    assert [(drill["name"], drill["status"]) for drill in made["drills"]] == [("back", "passed")]

    said = codebuild(desk, "buildspec-migrate.yml")
    assert f"; plan {made['plan']['fingerprint']}.\n" in said.out and "  greenroom: Migrated.\n" in said.out
    assert said.out.endswith("The database is migrated; the traffic was not touched.\n")

    deploy_stage(desk)
    said = desk.type("./inv status --environment staging")
    assert f"deployment d-000000001 to {NAME}:3, in progress\n" in said.out
    said = desk.type("./inv rollback --environment staging")
    assert "  break off deployment d-000000001: the traffic goes back to where it was\n" in said.out


def test_rehearsal_that_fails_is_filed_and_shuts_the_gate(desk: Desk) -> None:
    next_version(desk, FAILS)
    codebuild(desk, "buildspec.yml")
    said = codebuild(desk, "buildspec-rehearse.yml", code=1)
    assert "VERDICT=fail\n" in said.out
    (filed,) = desk.stage.objects(f"rehearsals/{desk.digest}/")
    assert filed == desk.rehearsal
    said = codebuild(desk, "buildspec-migrate.yml", code=1)
    assert said.error.startswith("the rehearsal of this image, plan ") and ", failed: " in said.error
    assert desk.writes == []


def test_source_without_git_is_named_after_its_version(desk: Desk) -> None:
    """As an object of S3 is."""
    shutil.rmtree(desk.checkout.root / ".git")
    said = codebuild(desk, "buildspec.yml")
    assert "/ledger:source---Mq-3HL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY\n" in said.out
    assert files(desk.checkout.root / "build" / "release") == ["appspec.yaml", "imageDetail.json", "taskdef.json"]
