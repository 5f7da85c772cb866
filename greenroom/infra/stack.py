"""The root module as one environment has it: values, state, and a directory of Terraform's own for each."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from greenroom import aws
from greenroom.config import Config, Environment
from greenroom.errors import GreenroomError

MODULE = Path("infra/terraform")
WORK = Path("build/terraform")
_SETTING = re.compile(r'^\s*(\w+)\s*=\s*"([^"]*)"', re.MULTILINE)  # what a line of a .tfvars file says of a text


@dataclass(frozen=True)
class Stack:
    """`module` is the root module, `work` where Terraform keeps its own files for this environment.

    `endpoint` stands in for AWS's, for Terraform and for us.
    """

    module: Path
    work: Path
    environment: Environment
    endpoint: str | None = None

    @property
    def values(self) -> Path:
        """The environment's variables."""
        return self.module / "environments" / f"{self.environment.name}.tfvars"

    @property
    def backend(self) -> Path:
        """Where its state lies."""
        return self.module / "environments" / f"{self.environment.name}.s3.tfbackend"

    @property
    def bucket(self) -> str:
        """Of the state. Raises GreenroomError where the file does not name one."""
        named = _settings(self.backend).get("bucket")
        if not named:
            raise GreenroomError(f"{self.backend} names no bucket.", 'Write it there: bucket = "..."')
        return named

    @property
    def by_hand(self) -> str:
        """How a person calls Terraform for this environment, from the root of the checkout."""
        told = {
            "TF_DATA_DIR": str(self.work),
            "AWS_PROFILE": self.environment.profile,
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        words = [f"{name}={shlex.quote(value)}" for name, value in told.items() if value]
        return " ".join([*words, f"terraform -chdir={MODULE}"])

    @property
    def variables(self) -> dict[str, str]:
        """Of the process: Terraform asks nobody, and its endpoints are ours."""
        told = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_DATA_DIR": str(self.work)}
        told |= {"AWS_PROFILE": self.environment.profile} if self.environment.profile else {}
        return told | ({"AWS_ENDPOINT_URL": self.endpoint} if self.endpoint else {})


def of(config: Config, environment: str, endpoint: str | None = None) -> Stack:
    """The stack of `--environment`. Raises GreenroomError where files lack, or contradict [tool.greenroom]."""
    deployed = config.environment(environment)
    stack = Stack((config.root / MODULE).resolve(), (config.root / WORK / environment).resolve(), deployed, endpoint)
    for file in (stack.values, stack.backend):
        if not file.is_file():
            raise GreenroomError(
                f"there is no {file.relative_to(config.root.resolve())}.",
                f"Write one for {environment}, as those beside it are; docs/deploy.md says what belongs into it.",
            )
    for file in (stack.values, stack.backend):
        _refuse_contradiction(file, deployed)
    return stack


def refuse_other_account(stack: Stack) -> None:
    """Before anything is read or written there. Raises GreenroomError, also where the credentials are of no use."""
    aws.check_account(stack.environment)


def _refuse_contradiction(file: Path, deployed: Environment) -> None:
    """Two places name account and region; a person changes one of them."""
    there = _settings(file)
    for name, ours in (("account", deployed.account), ("region", deployed.region), ("ssm_path", deployed.ssm_path)):
        if there.get(name, ours) != ours:
            raise GreenroomError(
                f"{file.name} says {name} = {there[name]}, and [tool.greenroom.environments.{deployed.name}] {ours}.",
                "Make them the same.",
            )


def _settings(file: Path) -> dict[str, str]:
    return dict(_SETTING.findall(file.read_text(encoding="utf-8")))
