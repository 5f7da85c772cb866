"""What each task of a release refuses: its sentence, its exit code, and that nothing was changed by then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.release_circumstances import IMAGE, report
from tests.integration.release_stage import OTHER, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--image", "latest"), "--image latest is no digest: a release is of one image, and a tag can move."),
        ((), "which image is to be released is not known: none was pushed from here."),
    ],
)
@pytest.mark.parametrize("task", ["deploy", "release-files"])
def test_image_that_is_not_one(stage: Stage, task: str, words: tuple[str, ...], sentence: str) -> None:
    said = stage.staging(task, *words)
    assert (said.code, said.error.splitlines()[0]) == (2, sentence)
    assert stage.cloud.calls == []


def test_image_that_ecr_has_not(stage: Stage) -> None:
    stage.rehearse(lambda made: setattr(made.image, "digest", OTHER), digest=OTHER)
    said = stage.staging("deploy", "--image", OTHER, "--yes")
    assert (said.code, said.error) == (
        1,
        "not released: ECR has no image ledger@sha256:b2b2b2b2b2b2.\n"
        "  Push it: ./inv build --push --environment staging\n",
    )
    assert stage.writes == []


@pytest.mark.parametrize("task", ["deploy", "release-migrate", "release-check", "doctor"])
def test_gate_is_shut_on_every_road(stage: Stage, task: str) -> None:
    stage.rehearse(lambda made: setattr(made, "verdict", "fail"))
    said = stage.staging(task, *IMAGE, *(("--yes",) if task in ("deploy", "release-migrate") else ()))
    assert said.code == 1
    assert "the rehearsal of this image, plan c3c3c3c3c3c3, failed: no reason was given" in said.out + said.error
    assert stage.writes == []


def test_release_check_says_what_a_release_may_rest_on(stage: Stage) -> None:
    stage.rehearse()
    said = stage.staging("release-check", *IMAGE)
    assert (said.code, said.error) == (0, "")
    assert said.out.startswith("sha256:a1a1a1a1a1a1 may migrate staging: pass, ")


def test_doctor_excuses_a_missing_rehearsal_with_a_reason_and_nothing_else(stage: Stage) -> None:
    assert stage.staging("doctor", *IMAGE, "--unrehearsed", "hotfix").code == 0
    stage.service["status"] = "DRAINING"
    said = stage.staging("doctor", *IMAGE, "--unrehearsed", "hotfix")
    assert said.code == 1 and "✗ service        the service is DRAINING.\n" in said.out


def test_release_migrate_moves_no_traffic(stage: Stage) -> None:
    stage.rehearse()
    said = stage.staging("release-migrate", *IMAGE, "--yes")
    assert said.code == 0, said.error
    assert stage.writes == ["PUT", "RegisterTaskDefinition", "RunTask", "PUT"]
    assert said.out.endswith("The database is migrated; the traffic was not touched.\n")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image": None}, " ran in an interpreter of this machine: it belongs to no release."),
        ({"source": {"kind": "demo", "description": "d"}}, " was held on demo data, and not on this environment's."),
    ],
)
def test_document_that_no_release_could_rest_on(stage: Stage, changes: dict[str, Any], sentence: str) -> None:
    directory = report(stage)
    document = json.loads((directory / "rehearsal.json").read_text()) | changes
    (directory / "rehearsal.json").write_text(json.dumps(document))
    said = stage.staging("rehearsal-push", "--yes")
    assert said.code == 2 and said.error.splitlines()[0].endswith(sentence)
    assert stage.writes == []


@pytest.mark.parametrize(
    ("body", "words"), [(None, " cannot be read: "), ("{", " is not a rehearsal document of this ")]
)
def test_document_that_is_none(stage: Stage, body: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.json"
    if body:
        path.write_text(body)
    said = stage.staging("rehearsal-push", "--report", str(path), "--yes")
    assert said.code == 2 and words in said.error.splitlines()[0]


def test_failed_document_is_pushed_and_shuts_the_gate(stage: Stage) -> None:
    stage.rehearse()
    report(stage, verdict="fail")
    said = stage.staging("rehearsal-push", "--yes")
    assert (said.code, said.out.splitlines()[-1]) == (0, "pushed; it failed, so no release of that plan may go out")
    assert stage.staging("release-check", *IMAGE).code == 1
