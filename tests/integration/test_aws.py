"""AWS through boto3: parameters, and refusals as sentences."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from greenroom import aws
from greenroom.aws import AwsError
from greenroom.errors import COULD_NOT_RUN
from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto

__all__ = ["cloud", "moto"]
SIGN_IN = "Sign in (`aws sso login`), or name a profile: profile = in the target's table, or AWS_PROFILE."


def refusal(cloud: Cloud) -> AwsError:
    """What describing the instances of the account is answered with."""
    with pytest.raises(AwsError) as refused, closing(aws.client("rds")) as rds, aws.refusals():
        rds.describe_db_instances()
    error = refused.value
    assert (error.code, CREDENTIALS["AWS_SECRET_ACCESS_KEY"] in str(error)) == (COULD_NOT_RUN, False)
    return error


def test_parameter_is_decrypted(cloud: Cloud) -> None:
    with closing(aws.client("ssm")) as ssm:
        ssm.put_parameter(Name="/shop/password", Value="pl4nted", Type="SecureString")
    found = aws.parameter("/shop/password", region="us-east-1")
    assert (found.reveal(), str(found)) == ("pl4nted", "***")


def test_parameter_that_is_missing_is_named_with_its_region(cloud: Cloud) -> None:
    with pytest.raises(AwsError) as refused:
        aws.parameter("/shop/password", region="eu-west-1")
    assert str(refused.value) == (
        "SSM has no parameter /shop/password in eu-west-1.\n"
        "  `aws ssm describe-parameters --region eu-west-1` lists them; check region and profile."
    )


def test_client_goes_to_the_endpoint_and_region_of_the_environment(cloud: Cloud) -> None:
    with closing(aws.client("rds")) as rds:
        assert (rds.meta.endpoint_url, rds.meta.region_name) == (cloud.url, "us-east-1")


def test_profile_brings_credentials_and_region(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = eu-north-1\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with closing(aws.client("rds", profile="team")) as rds:
        assert rds.meta.region_name == "eu-north-1"
        assert rds.describe_db_instances()["DBInstances"] == []


def test_unknown_profile(cloud: Cloud) -> None:
    with pytest.raises(AwsError) as refused:
        aws.client("rds", profile="nobody")
    assert str(refused.value) == (
        "there is no AWS profile nobody.\n"
        "  `aws configure list-profiles` lists them; it is named by profile = in the target's table, or AWS_PROFILE."
    )


def test_no_region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AwsError) as refused:
        aws.client("rds")
    assert str(refused.value) == (
        "no AWS region is set.\n"
        "  Write region = into the target's table, or set AWS_DEFAULT_REGION, as in eu-central-1."
    )


def test_no_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert str(refusal(cloud)) == f"there are no AWS credentials.\n  {SIGN_IN}"


def test_half_of_the_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert refusal(cloud).sentence == "the AWS credentials lack AWS_SECRET_ACCESS_KEY."


def test_expired_token(cloud: Cloud) -> None:
    cloud.refuse("DescribeDBInstances", "ExpiredToken", "The security token included in the request is expired")
    assert str(refusal(cloud)) == f"the AWS credentials have expired.\n  {SIGN_IN}"


def test_wrong_credentials_do_not_quote_the_request(cloud: Cloud) -> None:
    quoted = "The Canonical String should have been: x-amz-security-token:pl4nted-aws-secret"
    cloud.refuse("DescribeDBInstances", "SignatureDoesNotMatch", quoted, status=403)
    assert refusal(cloud).sentence == "AWS does not accept the credentials (SignatureDoesNotMatch)."


def test_page_of_a_proxy_is_no_answer_of_aws(cloud: Cloud) -> None:
    cloud.play("DescribeDBInstances", lambda _given, _moto: "<!doctype html>\n<title>Sign in to the network</title>")
    error = refusal(cloud)
    assert error.sentence == "what answers in AWS's place is not AWS: its answer is no answer of that service."
    assert error.why == "unreachable"


def test_access_denied_names_the_action_that_is_missing(cloud: Cloud) -> None:
    said = "User: arn:aws:iam::1:user/me is not authorized to perform: rds:AddTagsToResource on resource: arn:aws:rds:x"
    cloud.refuse("DescribeDBInstances", "AccessDenied", said, status=403)
    assert str(refusal(cloud)) == (
        "AWS does not let this identity do rds:AddTagsToResource.\n"
        "  Have it allowed for the identity that `aws sts get-caller-identity` shows."
    )


def test_access_denied_without_a_reason_names_the_operation(cloud: Cloud) -> None:
    cloud.refuse("DescribeDBInstances", "AccessDeniedException", "no", status=403)
    assert refusal(cloud).sentence == "AWS does not let this identity do DescribeDBInstances."


def test_throttling_is_tried_three_times_and_is_transient(cloud: Cloud) -> None:
    cloud.refuse("DescribeDBInstances", "Throttling", "Rate exceeded")
    error = refusal(cloud)
    assert error.sentence == "AWS answers DescribeDBInstances with Throttling, several times over."
    assert error.transient and len(cloud.called("DescribeDBInstances")) == 3


def test_unreachable_endpoint_is_named_without_its_password(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:pl4nted-aws-secret@127.0.0.1:1")
    error = refusal(cloud)
    assert str(error) == (
        "AWS cannot be reached at 127.0.0.1:1 (5 s, 3 times): EndpointConnectionError.\n"
        "  Check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; is a VPN missing?"
    )
    assert error.transient
