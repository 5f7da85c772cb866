"""Who releases, and where: the account, credentials, a way to AWS; what the migrate stage calls, against its role."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.test_roles import ACTORS, build
from tests.integration.moto_server import Call
from tests.integration.release_circumstances import IMAGE, programs, report
from tests.integration.release_environment import ACCOUNT
from tests.integration.release_stage import BUCKET, DIGEST, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "programs", "stage"]

FREE = "GetCallerIdentity"  # AWS lets everybody ask who he is
# What the pre-flight would like to see and this role may not: the line says `?`, and stops nobody.
NOT_SEEN = {"SimulatePrincipalPolicy": "AccessDenied", "GetParametersByPath": "AccessDeniedException"}
# What goes with another call: AWS asks for it by itself.
WITH_ANOTHER = {"PassRole"}
# Asked only where the listener's own action leads elsewhere.
SOMETIMES = {"DescribeRules"}


def name(call: Call) -> str:
    """As IAM calls it."""
    path = call.parameters.get("path")
    return {"GET": "ListBucket" if path == f"/{BUCKET}" else "GetObject", "PUT": "PutObject"}.get(
        call.action, call.action
    )


def test_migrate_stage_calls_what_its_role_may_and_nothing_else(stage: Stage) -> None:
    stage.rehearse()
    for action, code in NOT_SEEN.items():
        stage.cloud.refuse(action, code)
    said = stage.staging("release-migrate", "--image", DIGEST, "--yes")
    assert said.code == 0, said.error
    assert "? parameters     not asked: AWS does not let this identity do GetParametersByPath.\n" in said.out
    of_the_stage = ("CreateLogStream", "PutLogEvents")  # the log of the one-off task
    called = {name(call) for call in stage.cloud.calls if call.action not in of_the_stage} - {FREE}
    own = {call.action.partition(":")[2] for call in ACTORS["migrate"] if call not in build("migrate")}
    assert own - WITH_ANOTHER - SOMETIMES == called - NOT_SEEN.keys()


EVERY = {
    **dict.fromkeys(("deploy", "release-migrate", "doctor", "release-check"), IMAGE),
    **dict.fromkeys(("rollback", "status", "rehearsal-push", "ecs-logs", "ecs-shell"), ()),
}


@pytest.mark.parametrize("task", EVERY)
def test_credentials_of_another_account_are_refused_before_anything_is_read(
    stage: Stage, task: str, programs: Path
) -> None:
    report(stage)
    said = stage.inv(task, "--environment", "other", *EVERY[task])
    assert (said.code, said.error.splitlines()[0]) == (
        2,
        f"these AWS credentials are of account {ACCOUNT}, and other is in 210987654321.",
    )
    assert {call.action for call in stage.cloud.calls} == {"GetCallerIdentity"}


@pytest.mark.parametrize("task", EVERY)
def test_credentials_that_have_expired_are_told_before_anything_is_read(
    stage: Stage, task: str, programs: Path
) -> None:
    report(stage)
    stage.cloud.refuse("GetCallerIdentity", "ExpiredToken")
    said = stage.staging(task, *EVERY[task])
    assert said.code == 2
    assert said.error.startswith("the AWS credentials have expired.\n  Sign in (`aws sso login`), or name a profile")
    assert {call.action for call in stage.cloud.calls} == {"GetCallerIdentity"}


@pytest.mark.parametrize("task", EVERY)
def test_aws_that_is_not_reached_is_told_with_its_host(
    stage: Stage, task: str, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(stage)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:pl4nted@127.0.0.1:9")
    said = stage.staging(task, *EVERY[task])
    assert said.code == 2
    assert said.error.splitlines()[0].startswith("AWS cannot be reached at 127.0.0.1:9 (5 s, 3 times): ")


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
