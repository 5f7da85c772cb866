"""The three files of a release by CodeDeploy: imageDetail.json, taskdef.json, appspec.yaml, from a pushed digest.

The two templates are this project's; `<ACCOUNT>` and the like in them are the environment's facts. CodePipeline itself
fills in what is left: the image's name by imageDetail.json, the task definition by what it registers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from greenroom.config import Config, Environment
from greenroom.errors import GreenroomError

DETAIL, TASKDEF, APPSPEC = "imageDetail.json", "taskdef.json", "appspec.yaml"  # the names that CodePipeline looks for
OF_CODEPIPELINE = ("IMAGE1_NAME", "TASK_DEFINITION")
PROCESSORS = {"amd64": "X86_64", "arm64": "ARM64"}  # as images name them, and as ECS does
LARGEST_BYTES = 3 * 1000**2  # of an artifact that CodeDeployToECS takes
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]*)>")


def filled(config: Config, environment: Environment) -> dict[str, str]:
    """Both templates with the environment's facts. Raises GreenroomError naming what is wrong with them."""
    templates = {TASKDEF: config.image.taskdef, APPSPEC: config.image.appspec}
    texts = {name: _filled(config.root, path, environment) for name, path in templates.items()}
    wrong = list(_problems(texts, templates))
    if wrong:
        raise GreenroomError("\n".join(wrong), "Correct that there, then run again.")
    return texts


def check_processor(config: Config, texts: dict[str, str], architecture: str, options: str = "") -> None:
    """Raise GreenroomError where the task definition is for other processors than the image: no task of it would start.

    `options` are what a build for those of the task definition needs besides its platform.
    """
    path, wanted = config.image.taskdef, _processor(texts[TASKDEF])
    if PROCESSORS.get(architecture) == wanted:
        return
    ways = [
        f"build it with --platform linux/{name}{options}, on a machine of that kind or with an emulator"
        for name, processor in PROCESSORS.items()
        if processor == wanted
    ]
    if architecture in PROCESSORS:
        ways.append(f"write {PROCESSORS[architecture]} there, and give the service tasks of that kind")
    hint = "; or ".join(ways) or f"ECS has {' and '.join(PROCESSORS.values())}"
    raise GreenroomError(
        f"the image is for {architecture}, and {path} says cpuArchitecture: {wanted}: no task of it would start.",
        f"{hint[0].upper()}{hint[1:]}.",
    )


def write(directory: Path, texts: dict[str, str], image: str) -> list[Path]:
    """Write all three. `image` is repository@digest."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = {DETAIL: json.dumps({"ImageURI": image}) + "\n", **texts}
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [directory / name for name in texts]


def _filled(root: Path, path: Path, environment: Environment) -> str:
    facts = {
        "ACCOUNT": environment.account,
        "ENVIRONMENT": environment.name,
        "REGION": environment.region,
        "SSM_PARAMS_PATH": environment.ssm_path,
    }
    try:
        text = (root / path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise GreenroomError(
            f"{path} cannot be read ({type(error).__name__}): a release needs it.",
            "Name it in [tool.greenroom.image] of pyproject.toml: taskdef, appspec.",
        ) from error
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - facts.keys() - set(OF_CODEPIPELINE))
    if unknown:
        known = ", ".join(f"<{name}>" for name in (*facts, *OF_CODEPIPELINE))
        raise GreenroomError(f"{path}: <{unknown[0]}> is filled in by nobody.", f"There are: {known}.")
    return _PLACEHOLDER.sub(lambda found: facts.get(found[1], found[0]), text)


def _problems(texts: dict[str, str], paths: dict[str, Path]) -> Iterator[str]:
    """Of the two against each other: CodeDeploy says so only in the middle of a deployment."""
    containers, leads = _containers(texts[TASKDEF]), balanced(texts[APPSPEC])
    if containers is None:
        yield f"{paths[TASKDEF]} is no task definition: containerDefinitions, each with a name."
    if leads is None:
        yield f"{paths[APPSPEC]} names no container: Resources, TargetService, Properties, LoadBalancerInfo."
    if containers is None or leads is None:
        return
    if _moves_to(texts[APPSPEC]) != "<TASK_DEFINITION>":
        yield (
            f"{paths[APPSPEC]} has TaskDefinition: {_moves_to(texts[APPSPEC])}, and not <TASK_DEFINITION>: what is "
            "migrated for would not be what is deployed."
        )
    if not any(container.get("image") == "<IMAGE1_NAME>" for container in containers.values()):
        yield f'{paths[TASKDEF]} has no container whose image is "<IMAGE1_NAME>".'
    name, port = leads
    if name not in containers:
        yield f"{paths[APPSPEC]} names the container {name}, and {paths[TASKDEF]} has {', '.join(containers)}."
    elif port not in (ports := [mapped.get("containerPort") for mapped in containers[name].get("portMappings") or []]):
        yield f"{paths[APPSPEC]} leads to port {port}, and in {paths[TASKDEF]} {name} has {ports or 'none'}."
    if sum(len(text.encode()) for text in texts.values()) > LARGEST_BYTES:
        yield f"{paths[TASKDEF]} and {paths[APPSPEC]} are over 3 MB, which CodePipeline does not take."


def _containers(text: str) -> dict[str, dict[str, Any]] | None:
    try:
        return {str(container["name"]): container for container in json.loads(text)["containerDefinitions"]}
    except (ValueError, KeyError, TypeError):
        return None


def _processor(text: str) -> str:
    """Of the tasks; ECS takes X86_64 where the template does not say."""
    platform = json.loads(text).get("runtimePlatform")
    return str((platform if isinstance(platform, dict) else {}).get("cpuArchitecture", PROCESSORS["amd64"]))


def balanced(text: str) -> tuple[str, Any] | None:
    """The container that the load balancer leads to, and its port."""
    try:
        info = _properties(text)["LoadBalancerInfo"]
        return str(info["ContainerName"]), info["ContainerPort"]
    except (KeyError, TypeError):
        return None


def _moves_to(text: str) -> str:
    return str(_properties(text).get("TaskDefinition", "nothing"))


def _properties(text: str) -> dict[str, Any]:
    """Of the service that is deployed; empty where there is none."""
    import yaml

    try:
        resources = yaml.safe_load(text)["Resources"]
        found = next(entry["TargetService"]["Properties"] for entry in resources if "TargetService" in entry)
    except (yaml.YAMLError, KeyError, TypeError, StopIteration):
        return {}
    return found if isinstance(found, dict) else {}
