"""ECR: the repository that the image is pushed to, and the log-in. Nothing is made or changed there but the image."""

from __future__ import annotations

import base64
from contextlib import closing
from dataclasses import dataclass

from greenroom import aws
from greenroom.aws import AwsError
from greenroom.config import Environment
from greenroom.docker_images import Login
from greenroom.secret import Secret


@dataclass(frozen=True)
class Repository:
    """`uri` is what an image is called there, without tag or digest."""

    uri: str
    login: Login


def found(environment: Environment, name: str) -> Repository:
    """The repository in the environment's account and region. Raises GreenroomError for the wrong account, AwsError."""
    aws.check_account(environment)
    with closing(aws.read_only("ecr", region=environment.region, profile=environment.profile)) as ecr, aws.refusals():
        try:
            said = ecr.describe_repositories(registryId=environment.account, repositoryNames=[name])
        except ecr.exceptions.RepositoryNotFoundException:
            raise _missing(environment, name) from None
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    uri = str(said["repositories"][0]["repositoryUri"])
    user, _, password = base64.b64decode(token).decode().partition(":")
    return Repository(uri, Login(uri.partition("/")[0], user, Secret(password)))


def _missing(environment: Environment, name: str) -> AwsError:
    return AwsError(
        "not found",
        "RepositoryNotFoundException",
        f"ECR has no repository {name} in account {environment.account}, {environment.region}.",
        f"Make it: aws ecr create-repository --repository-name {name} --region {environment.region} "
        "--image-tag-mutability IMMUTABLE; or name another: repository = in [tool.greenroom.image].",
    )
