"""What each task of a release refuses: its sentence, its exit code, and that nothing was changed by then."""

from __future__ import annotations

import inspect
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from greenroom.release import one_off
from greenroom.tasks import namespace
from tests.aws_models import conform
from tests.integration import deployments as fake
from tests.integration.release_stage import (
    ACCOUNT,
    BUCKET,
    DIGEST,
    NAME,
    OTHER,
    PLAN,
    REGION,
    Stage,
    checkout,
    cloud,
    moto,
    rehearsal,
    stage,
)
from tests.integration.release_stage import _definition as definition

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]

IMAGE = ("--image", DIGEST)


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
    answer = stage.client("ecs").register_task_definition(**definition(OTHER))
    stage.clear()
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def under_way(stage: Stage) -> None:
    stage.deployments.add((fake.Moment("InProgress", 6, green=50.0),), stage.service["taskSets"][0]["taskDefinition"])


# -- a dry run

# Words of each task of releases that changes something in AWS, and what it says that it would do.
CHANGING = {
    "deploy": (IMAGE, f"2 register a task definition with ledger@{DIGEST[:19]}"),
    "release-migrate": (IMAGE, "3 migrate the database once, in a one-off task, by a rehearsed plan only (pass, "),
    "rollback": ((), "break off deployment d-000000001: the traffic goes back to where it was"),
    "rehearsal-push": ((), f"to {BUCKET}/rehearsals/{DIGEST}/{PLAN}/rehearsal.json"),
    "ecs-shell": ((), f"register {NAME}:1 anew with a root file system that can be written to"),
}
ELSEWHERE = {
    "build": "tests/integration/test_image_push.py",
    "env-push": "tests/integration/test_environment.py",
    "tf-apply": "tests/integration/test_terraform_tasks.py",
    "tf-bootstrap": "tests/integration/test_terraform_tasks.py",
    "tf-destroy": "tests/integration/test_terraform_tasks.py",
}


def ready(stage: Stage, task: str) -> None:
    """So that without --dry-run it would be done."""
    stage.rehearse()
    report(stage)
    if task == "rollback":
        under_way(stage)
    stage.clear()


@pytest.mark.parametrize("task", CHANGING)
def test_no_write_leaves_in_a_dry_run(stage: Stage, task: str, programs: Path) -> None:
    words, shown = CHANGING[task]
    ready(stage, task)
    said = stage.staging(task, *words, "--dry-run")
    assert (said.code, said.error) == (0, "")
    assert shown in said.out
    assert stage.writes == []
    assert not programs.exists(), "nor by the AWS CLI"
    assert len(stage.cloud.calls) > 0 and stage.objects("releases/") == []


@pytest.mark.parametrize("task", CHANGING)
def test_nobody_to_ask_is_no_yes(stage: Stage, task: str, programs: Path) -> None:
    words, _ = CHANGING[task]
    ready(stage, task)
    said = stage.staging(task, *words)
    assert (said.code, said.error) == (
        2,
        "nobody is there to ask.\n  Add --yes to do it, or --dry-run to only see it.\n",
    )
    assert stage.writes == [] and not programs.exists()


def test_every_task_that_can_be_run_dry_on_an_environment_is_tried() -> None:
    dry = {
        name
        for name, task in namespace.tasks.items()
        if {"dry_run", "environment"} <= inspect.signature(task.body).parameters.keys()
    }
    assert dry == set(CHANGING) | set(ELSEWHERE)
    root = Path(__file__).resolve().parents[2]
    for name, place in ELSEWHERE.items():
        text = (root / place).read_text()
        assert name in text and "--dry-run" in text, f"{place} tries {name} --dry-run"


# -- who one is, and where


@pytest.mark.parametrize(
    "task", ["deploy", "release-migrate", "doctor", "release-check", "rollback", "status", "rehearsal-push", "ecs-logs"]
)
def test_credentials_of_another_account_are_refused_before_anything_is_read(stage: Stage, task: str) -> None:
    report(stage)
    words = IMAGE if task in ("deploy", "release-migrate", "doctor", "release-check") else ()
    said = stage.inv(task, "--environment", "other", *words)
    assert (said.code, said.error.splitlines()[0]) == (
        2,
        f"these AWS credentials are of account {ACCOUNT}, and other is in 210987654321.",
    )
    assert {call.action for call in stage.cloud.calls} == {"GetCallerIdentity"}


@pytest.mark.parametrize("task", ["deploy", "status"])
def test_environment_that_is_not_configured(stage: Stage, task: str) -> None:
    said = stage.inv(task, "--environment", "nowhere")
    assert said.code == 2
    assert "nowhere" in said.error.splitlines()[0] and stage.cloud.calls == []


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "the AWS credentials have expired."),
        ("InvalidClientTokenId", "AWS does not accept the credentials (InvalidClientTokenId)."),
    ],
)
def test_credentials_that_do_not_hold(stage: Stage, code: str, sentence: str) -> None:
    stage.cloud.refuse("GetCallerIdentity", code)
    said = stage.staging("deploy", *IMAGE, "--yes")
    assert (said.code, said.error.splitlines()[0]) == (2, sentence)
    assert stage.writes == []


# -- the image


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
        "not released: ECR has no image ledger@sha256:b2b2b2b2b2b2.\n  Push it: ./inv build --push\n",
    )
    assert stage.writes == []


# -- the gate, on every road


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


# -- rehearsal-push


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


# -- rollback


def test_named_revision_goes_out_as_an_arn(stage: Stage) -> None:
    stage.service["taskSets"][0]["taskDefinition"] = further(stage)
    said = stage.staging("rollback", "--to", f"{NAME}:1", "--yes")
    assert said.code == 0, said.error
    made = stage.cloud.called("CreateDeployment")[0].parameters
    arn = f"TaskDefinition: arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}:1\n"
    assert arn in made["revision"]["appSpecContent"]["content"]


@pytest.mark.parametrize(
    ("to", "sentence"),
    [(f"{NAME}:99", f"ECS has no task definition {NAME}:99."), (f"{NAME}:1", f"{NAME}:1 is what runs.")],
)
def test_named_revision_that_cannot_be_gone_back_to(stage: Stage, to: str, sentence: str) -> None:
    said = stage.staging("rollback", "--to", to, "--yes")
    assert (said.code, said.error.splitlines()[0]) == (2, sentence)
    assert stage.writes == []


def test_status_and_rollback_read_every_page(stage: Stage) -> None:
    stage.deployments.page = 1
    for _ in range(3):
        stage.deployments.add(fake.SUCCESS, stage.service["taskSets"][0]["taskDefinition"], step=9)
    assert "deployment d-000000003 to " in stage.staging("status").out
    under_way(stage)
    assert "break off deployment d-000000004" in stage.staging("rollback", "--dry-run").out


# -- watching


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_stops_watching_the_migration_stops_no_migration(
    stage: Stage, number: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.rehearse()

    class Clock:
        from time import monotonic

        @staticmethod
        def sleep(_seconds: float) -> None:
            signal.raise_signal(number)

    monkeypatch.setattr(one_off, "time", Clock)
    said = stage.staging("deploy", *IMAGE, "--yes")
    assert said.code == code
    assert " goes on without being watched.\n  See it: ./inv ecs-logs --environment staging --since 1h --task " in (
        said.error
    )
    assert stage.writes == ["PUT", "RegisterTaskDefinition", "RunTask"]


def test_bad_moments_of_aws_end_no_migration(stage: Stage) -> None:
    stage.rehearse()
    # More than botocore itself tries a call: three times.
    stage.cloud.refuse("DescribeTasks", "ServerException", status=500, times=4)
    stage.cloud.refuse("GetLogEvents", "ThrottlingException", times=4)
    said = stage.staging("deploy", *IMAGE, "--yes")
    assert said.code == 0, said.error
    assert "  greenroom: Migrated.\n" in said.out


# -- ecs-shell, ecs-logs


def with_agent(stage: Stage) -> None:
    agent = {"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}
    task = {"lastStatus": "RUNNING", "containers": [{"name": "app", "managedAgents": [agent]}]}
    stage.cloud.play("DescribeTasks", lambda _given, _moto: conform("DescribeTasks", {"tasks": [task]}, "ecs"))


def test_shell_leaves_nothing_behind(stage: Stage, programs: Path) -> None:
    with_agent(stage)
    said = stage.staging("ecs-shell", "--yes")
    assert said.code == 7, "the shell's own"
    assert stage.writes == ["RegisterTaskDefinition", "RunTask", "StopTask", "DeregisterTaskDefinition"]
    words = programs.read_text()
    assert words.startswith(f"aws ecs execute-command --region {REGION} --cluster {NAME} --task arn:aws:ecs:")
    assert words.endswith(" --container app --interactive --command /bin/sh\n")
    left = stage.client("ecs").list_task_definitions(familyPrefix=f"{NAME}-shell", status="ACTIVE")
    assert left["taskDefinitionArns"] == []


def test_shell_whose_task_cannot_start_leaves_nothing_behind(stage: Stage, programs: Path) -> None:
    stage.cloud.refuse("RunTask", "ClusterNotFoundException")
    said = stage.staging("ecs-shell", "--yes")
    assert said.code == 2 and "RunTask (ClusterNotFoundException)" in said.error
    assert stage.writes == ["RegisterTaskDefinition", "RunTask", "DeregisterTaskDefinition"]
    assert not programs.exists()


def test_shell_needs_the_plugin(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = stage.staging("ecs-shell", "--yes")
    assert (said.code, said.error.splitlines()[0]) == (
        2,
        "aws is not on this machine, and ECS exec goes through it.",
    )
    assert stage.cloud.calls == []


def test_logs_of_what_runs(stage: Stage) -> None:
    stage.rehearse()
    assert stage.staging("release-migrate", *IMAGE, "--yes").code == 0
    said = stage.staging("ecs-logs")
    assert said.code == 0, said.error
    assert [line[18:] for line in said.out.splitlines()] == [
        "greenroom: Pending: ledger.0010_x; plan c3c3.",
        "greenroom: Migrated.",
    ]
    bad = stage.staging("ecs-logs", "--since", "soon")
    assert (bad.code, bad.error.splitlines()[0]) == (2, "--since soon is no age.")
