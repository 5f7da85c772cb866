from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from greenroom import config
from greenroom.config import Config
from greenroom.errors import GreenroomError
from greenroom.image import release_files

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ledger@sha256:" + "0" * 64
TASKDEF = (
    '{"containerDefinitions": [{"name": "app", "image": "<IMAGE1_NAME>", "portMappings": [{"containerPort": 8}]}]}'
)
APPSPEC = """
Resources:
  - TargetService:
      Properties:
        TaskDefinition: <TASK_DEFINITION>
        LoadBalancerInfo: {ContainerName: app, ContainerPort: 8}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Config:
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "taskdef.json").write_text(TASKDEF)
    (tmp_path / "ci" / "appspec.yaml").write_text(APPSPEC)
    staging = {"ssm_path": "/ledger/staging", "region": "eu-central-1", "account": "123456789012"}
    return config.parse({"environments": {"staging": staging}}, tmp_path)


def refusal(loaded: Config) -> str:
    with pytest.raises(GreenroomError) as caught:
        release_files.filled(loaded, loaded.environment("staging"))
    assert caught.value.code == 2 and caught.value.hint
    return caught.value.sentence


def test_our_templates_are_filled_with_the_environments_facts() -> None:
    loaded = config.load(ROOT)
    texts = release_files.filled(loaded, loaded.environment("staging"))
    definition = json.loads(texts["taskdef.json"])
    container = definition["containerDefinitions"][0]
    given = {entry["name"]: entry["value"] for entry in container["environment"]}
    assert definition["taskRoleArn"] == "arn:aws:iam::123456789012:role/ledger-staging-task"
    assert (given["DJANGO_SSM_PARAMS_PATH"], given["AWS_DEFAULT_REGION"]) == ("/ledger/staging", "eu-central-1")
    assert container["image"] == "<IMAGE1_NAME>"
    service = yaml.safe_load(texts["appspec.yaml"])["Resources"][0]["TargetService"]["Properties"]
    assert service["TaskDefinition"] == "<TASK_DEFINITION>"


def test_write_names_the_image_by_its_digest(loaded: Config, tmp_path: Path) -> None:
    texts = release_files.filled(loaded, loaded.environment("staging"))
    written = release_files.write(tmp_path / "build" / "release", texts, IMAGE)
    assert [path.name for path in written] == ["imageDetail.json", "taskdef.json", "appspec.yaml"]
    assert json.loads(written[0].read_text()) == {"ImageURI": IMAGE}
    assert written[2].read_text() == APPSPEC


def test_missing_template(loaded: Config) -> None:
    (loaded.root / "ci" / "appspec.yaml").unlink()
    assert refusal(loaded) == "ci/appspec.yaml cannot be read (FileNotFoundError): a release needs it."


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("taskdef.json", "<IMAGE1_NAME>", "<IMAGE_NAME>", "ci/taskdef.json: <IMAGE_NAME> is filled in by nobody."),
        (
            "taskdef.json",
            "<IMAGE1_NAME>",
            "ledger:latest",
            'ci/taskdef.json has no container whose image is "<IMAGE1_NAME>".',
        ),
        (
            "taskdef.json",
            "<IMAGE1_NAME>",
            "<IMAGE1_NAME>:latest",
            'ci/taskdef.json has no container whose image is "<IMAGE1_NAME>".',
        ),
        (
            "appspec.yaml",
            "<TASK_DEFINITION>",
            "arn:aws:ecs:x:1:task-definition/ledger:3",
            "ci/appspec.yaml has TaskDefinition: arn:aws:ecs:x:1:task-definition/ledger:3, "
            "and not <TASK_DEFINITION>: what is migrated for would not be what is deployed.",
        ),
        (
            "appspec.yaml",
            "TaskDefinition: <TASK_DEFINITION>",
            "PlatformVersion: LATEST",
            "ci/appspec.yaml has TaskDefinition: nothing, and not <TASK_DEFINITION>: what is migrated for would not be "
            "what is deployed.",
        ),
        ("taskdef.json", "[", "{", "ci/taskdef.json is no task definition: containerDefinitions, each with a name."),
        (
            "appspec.yaml",
            "ContainerName: app",
            "ContainerName: web",
            "ci/appspec.yaml names the container web, and ci/taskdef.json has app.",
        ),
        ("appspec.yaml", ": 8}", ": 80}", "ci/appspec.yaml leads to port 80, and in ci/taskdef.json app has [8]."),
        (
            "appspec.yaml",
            "LoadBalancerInfo",
            "Balancer",
            "ci/appspec.yaml names no container: Resources, TargetService, Properties, LoadBalancerInfo.",
        ),
        (
            "appspec.yaml",
            "Resources:",
            f"# {'x' * 3_000_000}\nResources:",
            "ci/taskdef.json and ci/appspec.yaml are over 3 MB, which CodePipeline does not take.",
        ),
    ],
    ids=[
        "placeholder",
        "no image",
        "part of an image",
        "a revision",
        "no revision",
        "no JSON",
        "container",
        "port",
        "no load balancer",
        "too large",
    ],
)
def test_what_is_wrong_with_a_template(loaded: Config, name: str, old: str, new: str, said: str) -> None:
    path = loaded.root / "ci" / name
    path.write_text(path.read_text().replace(old, new))
    assert refusal(loaded) == said


@pytest.mark.parametrize(
    ("platform", "architecture", "said", "hint"),
    [
        ("{}", "amd64", None, None),
        ('{"cpuArchitecture": "X86_64"}', "amd64", None, None),
        ('{"cpuArchitecture": "ARM64"}', "arm64", None, None),
        (
            "{}",
            "arm64",
            "the image is for arm64, and ci/taskdef.json says cpuArchitecture: X86_64: no task of it would start.",
            "Build it with --platform linux/amd64 --tag v2, on a machine of that kind or with an emulator; or write "
            "ARM64 there, and give the service tasks of that kind.",
        ),
        (
            '{"cpuArchitecture": "ARM64"}',
            "s390x",
            "the image is for s390x, and ci/taskdef.json says cpuArchitecture: ARM64: no task of it would start.",
            "Build it with --platform linux/arm64 --tag v2, on a machine of that kind or with an emulator.",
        ),
        (
            '{"cpuArchitecture": "arm"}',
            "s390x",
            "the image is for s390x, and ci/taskdef.json says cpuArchitecture: arm: no task of it would start.",
            "ECS has X86_64 and ARM64.",
        ),
    ],
)
def test_check_processor(loaded: Config, platform: str, architecture: str, said: str | None, hint: str | None) -> None:
    texts = {"taskdef.json": f'{{"runtimePlatform": {platform}}}'}
    if said is None:
        release_files.check_processor(loaded, texts, architecture)
        return
    with pytest.raises(GreenroomError) as caught:
        release_files.check_processor(loaded, texts, architecture, " --tag v2")
    assert (caught.value.sentence, caught.value.hint, caught.value.code) == (said, hint, 2)
