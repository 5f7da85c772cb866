"""Errors of AWS as sentences, by their codes."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from greenroom import aws
from greenroom.aws import AwsError
from greenroom.errors import COULD_NOT_RUN


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AccessDenied", "denied"),
        ("DBClusterNotFoundFault", "not found"),
        ("DBClusterQuotaExceededFault", "quota"),
        ("DBInstanceNotFound", "not found"),
        ("DBSnapshotNotFound", "not found"),
        ("ExpiredTokenException", "expired"),
        ("InstanceQuotaExceeded", "quota"),
        ("InsufficientDBInstanceCapacity", "capacity"),
        ("InsufficientStorageClusterCapacity", "capacity"),
        ("InternalFailure", "throttled"),
        ("InvalidDBClusterStateFault", "state"),
        ("InvalidDBInstanceState", "state"),
        ("InvalidDBSnapshotState", "state"),
        ("InvalidParameterCombination", "refused"),
        ("ParameterNotFound", "not found"),
        ("RequestLimitExceeded", "throttled"),
        ("ServerException", "throttled"),
        ("ServiceFailure", "throttled"),
        ("ServiceUnavailableException", "throttled"),
        ("ThrottlingException", "throttled"),
        ("SnapshotQuotaExceeded", "quota"),
        ("UnrecognizedClientException", "credentials"),
        ("", "refused"),
    ],
)
def test_error_codes_have_a_kind_a_sentence_and_a_next_step(code: str, why: str) -> None:
    answer = {"Error": {"Code": code, "Message": "something\nelse"}}
    with pytest.raises(AwsError) as refused, aws.refusals():
        raise ClientError(answer, "CreateDBInstance")  # type: ignore[arg-type]
    error = refused.value
    assert (error.why, error.reason, error.code) == (why, code, COULD_NOT_RUN)
    assert error.sentence.endswith(".") and error.hint and "else" not in error.sentence
    assert error.transient == (why == "throttled")
    if why not in ("denied", "expired", "credentials", "throttled"):
        assert "CreateDBInstance" in error.sentence and error.sentence.endswith("something.")


@pytest.mark.parametrize(
    ("status", "why"), [(500, "throttled"), (503, "throttled"), (501, "refused"), (400, "refused")]
)
def test_server_that_is_unwell_is_one_whatever_its_code(status: int, why: str) -> None:
    answer = {"Error": {"Code": "Odd", "Message": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with pytest.raises(AwsError) as refused, aws.refusals():
        raise ClientError(answer, "DescribeTasks")  # type: ignore[arg-type]
    assert refused.value.why == why


def test_arguments_that_aws_would_refuse_are_named_before_they_leave() -> None:
    wrong = aws.malformed("ecs", "register_task_definition", {"family": 1, "revision": 3}, "ci/taskdef.json")
    assert wrong == [
        'ci/taskdef.json: Missing required parameter in input: "containerDefinitions".',
        'ci/taskdef.json: Unknown parameter in input: "revision".',
        "ci/taskdef.json: Invalid type for parameter family, value: 1, type: <class 'int'>, "
        "valid types: <class 'str'>.",
    ]


@pytest.mark.parametrize(
    "endpoint", ["localhost:5000", "nonsense", "http://", "http://[::1", "http://me:pl4nted@localhost:99999"]
)
def test_endpoint_that_is_none_is_told_without_it(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")):
        monkeypatch.setenv(name, value)
    with pytest.raises(AwsError) as refused:
        aws.client("sts", region="eu-central-1")
    assert (refused.value.code, refused.value.sentence) == (
        COULD_NOT_RUN,
        "a setting of AWS is malformed: AWS_ENDPOINT_URL, or its like in ~/.aws/config.",
    )
