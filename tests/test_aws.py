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
