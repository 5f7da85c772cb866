"""Running Terraform on a copy of the root module, so that nothing is written into the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "infra" / "terraform"
LEFT_OUT = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str

    @property
    def problem(self) -> str:
        """For a failing assertion: its last words."""
        return self.out[-4000:]


@dataclass(frozen=True)
class Module:
    """The copy. `environment` goes to every command."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> Done:
        """Run `terraform WORDS` there."""
        with self._started(*words) as running:
            out, _ = running.communicate()
        return Done(running.returncode, out)

    def lines(self, *words: str) -> Iterator[str]:
        """The same, a line of what it prints at a time: a plan as JSON brings the provider's whole schema along."""
        with self._started(*words) as running:
            assert running.stdout
            yield from running.stdout

    def _started(self, *words: str) -> subprocess.Popen[str]:
        said = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
        return subprocess.Popen(
            ["terraform", words[0], "-no-color", *words[1:]],
            cwd=self.directory,
            env={**os.environ, **said, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def need_terraform() -> None:
    """Skip where a user's machine has none; where no test may be skipped, as in CI, that is a failure."""
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed")


def prepared(place: Path, **environment: str) -> Module:
    """A copy below `place`, beside what it refers to, initialised without a backend."""
    need_terraform()
    shutil.copytree(SOURCE, place / "infra" / "terraform", ignore=LEFT_OUT)
    shutil.copytree(ROOT / "ci", place / "ci")
    module = Module(place / "infra" / "terraform", environment)
    done = module.run("init", "-backend=false")
    if done.code != 0:
        pytest.skip(f"the provider is not to be had: {done.problem}")
    return module


def made(module: Module, file: Path) -> dict[str, Any]:
    """Values of every resource, by address, after the first run of a file of tests that applies."""
    done = module.run("test", "-json", "-verbose", f"-filter={file}")
    for message in filter(None, map(_message, done.out.splitlines())):
        if message.get("type") == "test_state":
            resources = message["test_state"]["root_module"]["resources"]
            return {resource["address"]: resource["values"] for resource in resources}
    raise AssertionError(f"no run of {file} has applied: {done.problem}")


def planned(module: Module, *words: str) -> Iterator[list[dict[str, Any]]]:
    """The resources of each run of `terraform test WORDS`: type, address, and the values that are known."""
    status = "missing"
    for line in module.lines("test", "-json", "-verbose", *words):
        message = _message(line)
        if message.get("type") == "test_state":
            yield message["test_state"]["root_module"]["resources"]
        elif message.get("type") == "test_plan":
            changes = message["test_plan"]["resource_changes"]
            yield [{**change, "values": change["change"]["after"] or {}} for change in changes]
        elif message.get("type") == "test_summary":
            status = message["test_summary"]["status"]
    assert status == "pass", words


def _message(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
    return found
