"""The bucket of Terraform's state: versioned, encrypted, private; made once, before there is any state."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from greenroom import aws
from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.infra.stack import Stack

US_EAST_1 = "us-east-1"  # its buckets are made without a constraint (API reference of CreateBucket)
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


@dataclass(frozen=True)
class Step:
    """Something that the bucket lacks, for people, and the call that gives it."""

    text: str
    do: Callable[[Any, Stack], object]


def lacking(stack: Stack) -> list[Step]:
    """What is still to be done; nothing is written. Raises GreenroomError, also for a bucket of somebody else's."""
    region, profile = stack.environment.region, stack.environment.profile
    with closing(aws.read_only("s3", region=region, profile=profile)) as s3:
        return [step for step, is_so in _looks(s3, stack) if not is_so]


def do(stack: Stack, steps: list[Step]) -> None:
    """All of them, in their order. Raises GreenroomError."""
    with closing(aws.client("s3", region=stack.environment.region, profile=stack.environment.profile)) as s3:
        for step in steps:
            with aws.refusals():
                step.do(s3, stack)


def _looks(s3: Any, stack: Stack) -> list[tuple[Step, bool]]:
    there = _exists(s3, stack)
    bucket = {"Bucket": stack.bucket}

    def said(call: Callable[..., Any], *path: str) -> Any:
        return _said(lambda: call(**bucket), *path) if there else None

    return [
        (Step(f"make the bucket {stack.bucket} in {stack.environment.region}", _make), there),
        (
            Step("block all public access to it", _block),
            said(s3.get_public_access_block, "PublicAccessBlockConfiguration") == PRIVATE,
        ),
        (
            Step("encrypt what it holds", _encrypt),
            bool(said(s3.get_bucket_encryption, "ServerSideEncryptionConfiguration")),
        ),
        (Step("keep old versions of the state", _version), said(s3.get_bucket_versioning, "Status") == "Enabled"),
        (Step("refuse whoever comes without TLS", _only_tls), bool(said(s3.get_bucket_policy, "Policy"))),
    ]


def _exists(s3: Any, stack: Stack) -> bool:
    try:
        with aws.refusals():
            s3.get_bucket_location(Bucket=stack.bucket, ExpectedBucketOwner=stack.environment.account)
    except AwsError as error:
        if error.reason == "NoSuchBucket":
            return False
        if error.why == "denied":
            raise GreenroomError(
                f"the bucket {stack.bucket} belongs to another account, or may not be looked at.",
                f"Bucket names are the world's: choose another in {stack.backend.name}.",
            ) from None
        raise
    return True


def _said(call: Callable[[], Any], *path: str) -> Any:
    """A part of an answer; None where S3 has nothing to say."""
    try:
        with aws.refusals():
            found = call()
    except AwsError as error:
        if error.reason.startswith("NoSuch") or error.reason == "ServerSideEncryptionConfigurationNotFoundError":
            return None
        raise
    for name in path:
        found = (found or {}).get(name)
    return found


def _make(s3: Any, stack: Stack) -> object:
    region = stack.environment.region
    where = {} if region == US_EAST_1 else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    return s3.create_bucket(Bucket=stack.bucket, **where)


def _block(s3: Any, stack: Stack) -> object:
    return s3.put_public_access_block(Bucket=stack.bucket, PublicAccessBlockConfiguration=PRIVATE)


def _encrypt(s3: Any, stack: Stack) -> object:
    return s3.put_bucket_encryption(Bucket=stack.bucket, ServerSideEncryptionConfiguration=ENCRYPTED)


def _version(s3: Any, stack: Stack) -> object:
    return s3.put_bucket_versioning(Bucket=stack.bucket, VersioningConfiguration={"Status": "Enabled"})


def _only_tls(s3: Any, stack: Stack) -> object:
    arn = f"arn:aws:s3:::{stack.bucket}"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    return s3.put_bucket_policy(Bucket=stack.bucket, Policy=json.dumps(policy))
