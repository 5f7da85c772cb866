"""The files of a release against the Dockerfile, the registry of variables and ECS: what is wrong is said before."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.environment import describe
from greenroom.config import Config
from greenroom.environment.registry import Registry, Variable
from greenroom.errors import GreenroomError
from greenroom.release import files
from tests.release import scene
from tests.release.scene import DIGEST, ROOT


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The app's own, without a process in between."""
    return Registry({entry["name"]: Variable(**entry) for entry in describe()}, sys.executable, ROOT / "app")


@pytest.fixture
def checkout(tmp_path: Path) -> Config:
    """This project's own templates and Dockerfile."""
    shutil.copytree(ROOT / "ci", tmp_path / "ci")
    (tmp_path / "app").mkdir()
    shutil.copy(ROOT / "app" / "Dockerfile", tmp_path / "app")
    return scene.config(tmp_path)


def changed(config: Config, change: Callable[[dict[str, Any]], object]) -> None:
    path = config.root / "ci" / "taskdef.json"
    definition = json.loads(path.read_text())
    change(definition)
    path.write_text(json.dumps(definition))


def refusal(config: Config, registry: Registry) -> str:
    with pytest.raises(GreenroomError) as refused:
        files.files(config, scene.environment(), registry)
    assert refused.value.code == 2
    return refused.value.sentence


def container(definition: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definition["containerDefinitions"][0]
    return found


def variables(name: str, value: str | None) -> Callable[[dict[str, Any]], object]:
    """Set one, or leave it out."""

    def change(definition: dict[str, Any]) -> None:
        kept = [one for one in container(definition)["environment"] if one["name"] != name]
        container(definition)["environment"] = kept + ([{"name": name, "value": value}] if value else [])

    return change


def test_ours_are_fine(checkout: Config, registry: Registry) -> None:
    found = files.files(checkout, scene.environment(), registry)
    assert found.container == ("app", 8000)
    registered = found.registration("repository@sha256:0")
    assert registered["containerDefinitions"][0]["image"] == "repository@sha256:0"
    assert "<" not in json.dumps(registered)
    assert found.roles == [registered["taskRoleArn"], registered["executionRoleArn"]]
    assert "TaskDefinition: arn:1" in found.appspec_for("arn:1")


def test_they_are_written_side_by_side(checkout: Config, registry: Registry) -> None:
    found = files.files(checkout, scene.environment(), registry)
    written = files.write(checkout, scene.environment(), found, DIGEST)
    assert [path.name for path in written] == ["imageDetail.json", "taskdef.json", "appspec.yaml"]
    uri = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/ledger@{DIGEST}"
    assert json.loads(written[0].read_text()) == {"ImageURI": uri}
    assert json.loads(written[1].read_text())["containerDefinitions"][0]["image"] == "<IMAGE1_NAME>", "CodePipeline's"
    assert "<TASK_DEFINITION>" in written[2].read_text()


PLACE = "ci/taskdef.json, container app"
WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "one of the five is missing": (
        variables("DJANGO_SSM_PARAMS_PATH", None),
        f"{PLACE}: DJANGO_SSM_PARAMS_PATH is not set, and nothing else can set it",
    ),
    "a sixth": (
        variables("DJANGO_DB_HOST", "db.example.com"),
        f"{PLACE}: DJANGO_DB_HOST comes from SSM, and is not set here",
    ),
    "one that nobody knows": (
        variables("DJANGO_DEBUGG", "1"),
        f"{PLACE}: DJANGO_DEBUGG is not in the registry",
    ),
    "none of them": (
        lambda definition: container(definition).pop("environment"),
        "ci/taskdef.json: no container sets ",
    ),
    "what describe-task-definition prints": (
        lambda definition: definition.update(revision=3, status="ACTIVE"),
        'ci/taskdef.json: Unknown parameter in input: "revision".\n'
        'ci/taskdef.json: Unknown parameter in input: "status".',
    ),
    "a word that is mistyped": (
        lambda definition: container(definition).update(readOnlyRootFilesystem=True),
        'ci/taskdef.json: Unknown parameter in containerDefinitions[0]: "readOnlyRootFilesystem".',
    ),
    "a number that is text": (
        lambda definition: container(definition).update(stopTimeout="45"),
        "ci/taskdef.json: Invalid type for parameter containerDefinitions[0].stopTimeout, value: 45, "
        "type: <class 'str'>, valid types: <class 'int'>.",
    ),
    "no family": (
        lambda definition: definition.pop("family"),
        'ci/taskdef.json: Missing required parameter in input: "family".',
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_task_definition(name: str, checkout: Config, registry: Registry) -> None:
    change, said = WRONG[name]
    changed(checkout, change)
    assert refusal(checkout, registry).startswith(said)


@pytest.mark.parametrize("exposed", ["EXPOSE 80", "expose 80/tcp", "EXPOSE 80\nEXPOSE 443", "EXPOSE 80 443"])
def test_port_that_the_image_does_not_expose(exposed: str, checkout: Config, registry: Registry) -> None:
    (checkout.root / "app" / "Dockerfile").write_text(f"FROM scratch\n{exposed}\n")
    numbers = " and ".join(number for number in ("80", "443") if number in exposed)
    assert refusal(checkout, registry) == f"ci/appspec.yaml leads to port 8000, and app/Dockerfile exposes {numbers}."


@pytest.mark.parametrize("exposed", ["", "EXPOSE ${PORT}", "EXPOSE 80 8000"])
def test_port_that_the_image_may_listen_on(exposed: str, checkout: Config, registry: Registry) -> None:
    (checkout.root / "app" / "Dockerfile").write_text(f"FROM scratch\n{exposed}\n")
    assert files.files(checkout, scene.environment(), registry).container == ("app", 8000)


def test_template_of_another_name_is_the_one_that_is_checked(checkout: Config, registry: Registry) -> None:
    """Not ci/taskdef.json beside it, which is fine."""
    shutil.copytree(checkout.root / "ci", checkout.root / "deploy")
    moved = checkout.model_copy(
        update={"image": checkout.image.model_copy(update={"taskdef": Path("deploy/taskdef.json")})}
    )
    path = checkout.root / "deploy" / "taskdef.json"
    path.write_text(path.read_text().replace("DJANGO_SSM_PARAMS_PATH", "DJANGO_SSM_PARAM_PATH"))
    assert refusal(moved, registry).startswith(
        "deploy/taskdef.json, container app: DJANGO_SSM_PARAM_PATH is not in the"
    )


@pytest.mark.parametrize("given", [DIGEST, f"repository@{DIGEST}", f"123.dkr.ecr.x.amazonaws.com/a/b@{DIGEST}"])
def test_digest_as_it_is_given(given: str) -> None:
    assert files.digest(scene.config(), given) == DIGEST


@pytest.mark.parametrize("given", ["latest", "ledger:latest", "sha256:abc", f"{DIGEST}0", "", "sha256:" + "A1" * 32])
def test_what_is_no_digest(given: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        files.digest(scene.config(), given)
    assert refused.value.sentence == (f"--image {given} is no digest: a release is of one image, and a tag can move.")


def test_digest_that_was_pushed_last(checkout: Config) -> None:
    directory = checkout.root / "build" / "release"
    with pytest.raises(GreenroomError) as unknown:
        files.digest(checkout, None)
    assert unknown.value.sentence == "which image is to be released is not known: none was pushed from here."
    directory.mkdir(parents=True)
    (directory / "imageDetail.json").write_text("[]")
    with pytest.raises(GreenroomError) as broken:
        files.digest(checkout, None)
    assert broken.value.sentence == f"{directory / 'imageDetail.json'} is not what ./inv build --push writes."
    (directory / "imageDetail.json").write_text(json.dumps({"ImageURI": f"ledger@{DIGEST}"}))
    assert files.digest(checkout, None) == DIGEST


def test_china_has_its_own_domain() -> None:
    china = scene.environment(region="cn-north-1")
    assert files.uri(scene.config(), china, DIGEST) == (
        f"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/ledger@{DIGEST}"
    )
