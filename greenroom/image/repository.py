"""ECR: the repository that the image is pushed to, what is there already, and the log-in.

Nothing is made or changed there but the image.
"""

from __future__ import annotations

import base64
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from greenroom import aws
from greenroom.aws import AwsError
from greenroom.config import Environment
from greenroom.docker_images import Login
from greenroom.secret import Secret

IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True)
class Repository:
    """`uri` is what an image is called there, without tag or digest.

    `immutable`: its tags stay with their image, but for those of the patterns `excepted`; else the other way round.
    """

    uri: str
    login: Login
    immutable: bool = False
    excepted: tuple[str, ...] = ()

    def keeps(self, tag: str) -> bool:
        """Whether this tag stays with the first image that is pushed by it."""
        return self.immutable != any(fnmatchcase(tag, pattern) for pattern in self.excepted)


@dataclass(frozen=True)
class Pushed:
    """What a tag leads to: the digest that a pull by the tag gets."""

    digest: str
    at: datetime

    @property
    def when(self) -> str:
        """For people."""
        return f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def found(environment: Environment, name: str) -> Repository:
    """The repository in the environment's account and region. Raises GreenroomError for the wrong account, AwsError."""
    aws.check_account(environment)
    with closing(aws.read_only("ecr", region=environment.region, profile=environment.profile)) as ecr, aws.refusals():
        try:
            said = ecr.describe_repositories(registryId=environment.account, repositoryNames=[name])
        except ecr.exceptions.RepositoryNotFoundException:
            raise _missing(environment, name) from None
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    there: dict[str, Any] = said["repositories"][0]
    uri = str(there["repositoryUri"])
    user, _, password = base64.b64decode(token).decode().partition(":")
    return Repository(
        uri,
        Login(uri.partition("/")[0], user, Secret(password)),
        str(there.get("imageTagMutability")).startswith(IMMUTABLE),
        tuple(one["filter"] for one in there.get("imageTagMutabilityExclusionFilters") or ()),
    )


def pushed(environment: Environment, name: str, tag: str) -> Pushed | None:
    """What the tag leads to in that repository; None where nothing has it. Raises AwsError."""
    with closing(aws.read_only("ecr", region=environment.region, profile=environment.profile)) as ecr, aws.refusals():
        try:
            said = ecr.describe_images(
                registryId=environment.account, repositoryName=name, imageIds=[{"imageTag": tag}]
            )
        except ecr.exceptions.ImageNotFoundException:
            return None
    detail = said["imageDetails"][0]
    return Pushed(str(detail["imageDigest"]), detail["imagePushedAt"])


def _missing(environment: Environment, name: str) -> AwsError:
    return AwsError(
        "not found",
        "RepositoryNotFoundException",
        f"ECR has no repository {name} in account {environment.account}, {environment.region}.",
        f"Make it: aws ecr create-repository --repository-name {name} --region {environment.region} "
        "--image-tag-mutability IMMUTABLE; or name another: repository = in [tool.greenroom.image].",
    )
