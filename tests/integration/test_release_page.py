"""docs/releases.md shows what is printed: each block is run on the stage, and compared but for times and ids."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from tests.integration import deployments as fake
from tests.integration.release_circumstances import UNHEALTHY, released, report
from tests.integration.release_environment import ROOT
from tests.integration.release_stage import DIGEST, OTHER, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]

BLOCK = re.compile(r"```console\n\$ (\./inv .*?)\n(.*?)```", re.DOTALL)
VARIES = (
    (re.compile(r"^ *\d+\.\d s  ", re.MULTILINE), "T  "),
    (re.compile(r"\d+(\.\d+)? (ms|s|min) ago"), "T ago"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "DATE"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"(a1|b2|c3){6,}…?"), r"\1"),
)


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / "docs" / "releases.md").read_text())


def even(text: str) -> str:
    for pattern, instead in VARIES:
        text = pattern.sub(instead, text)
    return text


def after_a_release(stage: Stage) -> None:
    stage.rehearse()
    released(stage)


def whose_hook_fails(stage: Stage) -> None:
    after_a_release(stage)
    stage.deployments.next_story = fake.HOOK_FAILS
    stage.cloud.play("DescribeTargetHealth", lambda _given, _moto: UNHEALTHY)


def out_of_order(stage: Stage) -> None:
    stage.service["status"], stage.passing = "DRAINING", "implicitDeny"


def in_the_middle(stage: Stage) -> None:
    after_a_release(stage)
    definition = stage.service["taskSets"][0]["taskDefinition"]
    stage.deployments.add((fake.Moment("InProgress", 6, green=10.0),), definition)


# Of each block, in order: how the stage is set, and the exit code.
SET: list[tuple[Callable[[Stage], object], int]] = [
    (report, 0),
    (lambda _stage: None, 1),
    (out_of_order, 1),
    (lambda stage: stage.rehearse(), 0),
    (whose_hook_fails, 1),
    (in_the_middle, 0),
    (after_a_release, 0),
]


def test_every_block_is_tried() -> None:
    assert len(blocks()) == len(SET)


@pytest.mark.parametrize("number", range(len(SET)))
def test_block_is_what_is_printed(stage: Stage, number: int) -> None:
    (typed, shown), (prepare, code) = blocks()[number], SET[number]
    prepare(stage)
    whole = {"sha256:a1a1a1a1a1a1…": DIGEST, "sha256:b2b2b2b2b2b2…": OTHER}
    said = stage.inv(*[whole.get(word, word) for word in shlex.split(typed)[1:]])
    assert said.code == code
    printed, told = even(said.out + said.error).splitlines(), even(shown).splitlines()
    assert [line for line in told if line not in printed and line != "..."] == []
    assert "..." in told or sorted(told) == sorted(printed)
