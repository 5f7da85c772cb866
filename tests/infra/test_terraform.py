"""The root module by Terraform's own means: form, types, its tests for each concern, each environment's values."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.infra.module import SOURCE, Module

TESTS = sorted(path.relative_to(SOURCE) for path in (SOURCE / "tests").glob("*.tftest.hcl"))
ENVIRONMENTS = sorted(path.relative_to(SOURCE) for path in (SOURCE / "environments").glob("*.tfvars"))

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]


def test_formatted(module: Module) -> None:
    done = module.run("fmt", "-check", "-recursive", "-diff")
    assert done.code == 0, done.problem


def test_valid(module: Module) -> None:
    done = module.run("validate")
    assert done.code == 0, done.problem


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.name.partition(".")[0])
def test_concern(module: Module, file: Path) -> None:
    done = module.run("test", f"-filter={file}")
    assert done.code == 0, done.problem
    assert "passed, 0 failed" in done.out


@pytest.mark.parametrize("values", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environment_plans(module: Module, values: Path) -> None:
    done = module.run("test", "-test-directory=tests/environments", f"-var-file={values}")
    assert done.code == 0, done.problem
    assert "1 passed, 0 failed" in done.out


def test_unknown_argument_is_found(module: Module, tmp_path: Path) -> None:
    """These tests can fail: the provider's schema is there."""
    copy = Module(tmp_path / "module")
    shutil.copytree(module.directory, copy.directory, symlinks=True)
    (copy.directory / "wrong.tf").write_text('resource "aws_sns_topic" "wrong" {\n  no_such = 1\n}\n')
    done = copy.run("validate")
    assert done.code == 1
    assert 'An argument named "no_such" is not expected here' in done.out
