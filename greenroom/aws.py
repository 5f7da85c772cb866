"""The one room of boto3: clients, and what AWS refuses as one sentence with a next step.

Credentials, region and endpoint come as boto3 finds them: the environment (also AWS_ENDPOINT_URL), ~/.aws, a role.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

from greenroom.config import Environment
from greenroom.errors import GreenroomError
from greenroom.secret import Secret

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 3  # of one call, the first included

Why = Literal[
    "credentials",
    "expired",
    "region",
    "profile",
    "denied",
    "unreachable",
    "throttled",
    "not found",
    "quota",
    "capacity",
    "state",
    "refused",
]

# Error codes, as in AWS's documentation of common errors and in botocore's models of RDS and SSM.
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_CREDENTIALS = {
    *("AuthFailure", "IncompleteSignature", "IncompleteSignatureException", "InvalidClientTokenId", "OptInRequired"),
    *("InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken", "SignatureDoesNotMatch"),
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized", "UnauthorizedOperation"}
# botocore's own list, but for LimitExceededException, which is a quota here.
_THROTTLED = {
    *("BandwidthLimitExceeded", "PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled", "SlowDown"),
    *("RequestThrottledException", "ThrottledException", "Throttling", "ThrottlingException"),
    *("TooManyRequestsException", "TransactionInProgressException"),
}
# ServerException is of ECS and ECR, ServiceFailure of IAM, InternalServerException of CloudWatch Logs.
_UNWELL = {
    *("InternalError", "InternalFailure", "InternalServerError", "InternalServerException", "RequestTimeout"),
    *("RequestTimeoutException", "ServerException", "ServiceFailure", "ServiceUnavailable"),
    *("ServiceUnavailableException",),
}
_UNWELL_STATUS = (500, 502, 503, 504)  # as botocore retries them, whatever the code
_NOT_FOUND = re.compile(r"(NotFound(Fault|Exception)?|DoesNotExistException)$|^NoSuch[A-Z]|^404$")
_QUOTA = re.compile(r"(QuotaExceeded|LimitExceeded)(Fault|Exception)?$")
_CAPACITY = re.compile(r"^Insufficient\w*Capacity(Fault)?$")
_STATE = re.compile(r"^Invalid\w+State(Fault)?$")
_READING = re.compile(r"(Get|Head|List|Describe|BatchGet)[A-Z]|FilterLogEvents$|SimulatePrincipalPolicy$")
_ACTION = re.compile(r"\bperform: ([\w-]+:\w+)")

_SIGN_IN = "Sign in (`aws sso login`), or name a profile: profile = in the target's table, or AWS_PROFILE."


class AwsError(GreenroomError):
    """What AWS, or the way to it, refuses. `why` is the kind, `reason` AWS's own error code (else botocore's name)."""

    def __init__(self, why: Why, reason: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.why, self.reason = why, reason

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed in a moment."""
        return self.why in ("throttled", "unreachable")


def client(service: str, *, region: str | None = None, profile: str | None = None) -> Any:
    """A client of boto3 that gives up soon. The caller closes it (`contextlib.closing`).

    Raises AwsError when the profile or the region is unknown; credentials are tried at the first call.
    """
    with refusals():
        import boto3
        from botocore.config import Config

        patience = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra="greenroom",
        )
        try:
            made = boto3.Session(profile_name=profile, region_name=region).client(service, config=patience)
            _ = urlsplit(made.meta.endpoint_url).port  # botocore looks at it only when it calls
        except ValueError:  # its text quotes the address, and an address can hold a password
            setting = "a setting of AWS is malformed: AWS_ENDPOINT_URL, or its like in ~/.aws/config."
            raise AwsError("refused", "ValueError", setting, "It is of the form http://127.0.0.1:5000.") from None
        return made


def read_only(service: str, *, region: str | None = None, profile: str | None = None) -> Any:
    """A client through which nothing can be changed: what is no reading call is a bug, and is not sent."""
    made = client(service, region=region, profile=profile)
    made.meta.events.register_first("before-call", _refuse_to_write)
    return made


def account(*, region: str | None = None, profile: str | None = None) -> str:
    """The number of the account that the credentials belong to. Raises AwsError."""
    with closing(read_only("sts", region=region, profile=profile)) as sts, refusals():
        return str(sts.get_caller_identity()["Account"])


def check_account(environment: Environment) -> None:
    """Refuse an account that is not the environment's, before anything is read or written there."""
    found = account(region=environment.region, profile=environment.profile)
    if found != environment.account:
        raise GreenroomError(
            f"these AWS credentials are of account {found}, and {environment.name} is in {environment.account}.",
            f"Sign in to that one, or name a profile: profile = in [tool.greenroom.environments.{environment.name}].",
        )


def parameter(name: str, *, region: str | None = None, profile: str | None = None) -> Secret:
    """The value of a parameter of SSM, decrypted. Raises AwsError."""
    with closing(client("ssm", region=region, profile=profile)) as ssm:
        try:
            with refusals():
                return Secret(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
        except AwsError as error:
            if error.why != "not found":
                raise
            raise AwsError(
                error.why,
                error.reason,
                f"SSM has no parameter {name} in {ssm.meta.region_name}.",
                f"`aws ssm describe-parameters --region {ssm.meta.region_name}` lists them; check region and profile.",
            ) from None


def malformed(service: str, operation: str, arguments: dict[str, Any], place: str) -> list[str]:
    """What a call with these arguments would be refused for before it leaves: by botocore's own model of it."""
    from botocore import xform_name
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    model = get_session().get_service_model(service)
    name = next(one for one in model.operation_names if xform_name(one) == operation)
    report = ParamValidator().validate(arguments, model.operation_model(name).input_shape)
    lines = report.generate_report().splitlines()
    return [f"{place}: {line.partition(', must be one of')[0]}." for line in lines]


def reads(operation: str) -> bool:
    """Whether an operation, as AWS names it, changes nothing."""
    return _READING.match(operation) is not None


def _refuse_to_write(model: Any, **_others: Any) -> None:
    if not reads(model.name):
        raise PermissionError(f"{model.name} changes something, and this client only reads")


@contextmanager
def refusals() -> Iterator[None]:
    """What botocore raises within becomes an AwsError: one sentence, never a secret."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _of_service(error) from None
    except BotoCoreError as error:
        raise _of_botocore(error) from None
    except ResponseParserError:
        raise AwsError(
            "unreachable",
            "ResponseParserError",
            "what answers in AWS's place is not AWS: its answer is no answer of that service.",
            "Check HTTPS_PROXY and AWS_ENDPOINT_URL: a proxy's page for its users looks like that.",
        ) from None


def _of_service(error: Any) -> AwsError:
    """What the service answered, by its error code."""
    said = error.response.get("Error", {})
    code, operation = str(said.get("Code", "")), str(error.operation_name)
    text = _first_line(str(said.get("Message", "")))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    why = _why(code, status)
    sentence, hint = {
        "expired": ("the AWS credentials have expired.", _SIGN_IN),
        "credentials": (f"AWS does not accept the credentials ({code}).", _SIGN_IN),  # its text can quote the request
        "denied": (
            f"AWS does not let this identity do {_denied_action(text) or operation}.",
            "Have it allowed for the identity that `aws sts get-caller-identity` shows.",
        ),
        "throttled": (f"AWS answers {operation} with {code}, several times over.", "Try again in a minute."),
        "not found": (f"AWS finds nothing for {operation} ({code}): {text}", "Check the name, region and profile."),
        "quota": (
            f"a quota of the AWS account is reached at {operation} ({code}): {text}",
            "Remove what nobody needs (`./inv db-list` shows copies), or ask AWS for a higher quota.",
        ),
        "capacity": (
            f"AWS has no capacity for {operation} at the moment ({code}): {text}",
            "Try again later, or choose another instance_class in the target's table.",
        ),
        "state": (f"AWS cannot do {operation} now ({code}): {text}", "Wait until that is over, then run again."),
    }.get(why, (f"AWS refuses {operation} ({code}): {text}", "Correct that, then run again."))
    return AwsError(why, code, sentence, hint)


def _why(code: str, status: int) -> Why:
    listed: list[tuple[set[str], Why]] = [
        (_EXPIRED, "expired"),
        (_CREDENTIALS, "credentials"),
        (_DENIED, "denied"),
        (_THROTTLED | _UNWELL, "throttled"),
    ]
    shaped: list[tuple[re.Pattern[str], Why]] = [
        (_NOT_FOUND, "not found"),
        (_QUOTA, "quota"),
        (_CAPACITY, "capacity"),
        (_STATE, "state"),
    ]
    found = [why for codes, why in listed if code in codes]
    found += [why for pattern, why in shaped if pattern.search(code)]
    return next(iter(found), "throttled" if status in _UNWELL_STATUS else "refused")


def _of_botocore(error: Any) -> AwsError:
    """What went wrong before an answer: by the exception's class, most of whose texts are not for people."""
    from botocore import exceptions as known

    name = type(error).__name__
    if isinstance(error, known.ProfileNotFound):
        return AwsError(
            "profile",
            name,
            f"there is no AWS profile {error.kwargs.get('profile')}.",
            "`aws configure list-profiles` lists them; it is named by profile = in the target's table, or AWS_PROFILE.",
        )
    if isinstance(error, known.NoRegionError | known.InvalidRegionError):
        return AwsError(
            "region",
            name,
            "no AWS region is set." if isinstance(error, known.NoRegionError) else "the AWS region is malformed.",
            "Write region = into the target's table, or set AWS_DEFAULT_REGION, as in eu-central-1.",
        )
    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError):
        missing = error.kwargs.get("cred_var")
        text = f"the AWS credentials lack {missing}." if missing else "there are no AWS credentials."
        return AwsError("credentials", name, text, _SIGN_IN)
    if isinstance(
        error, known.SSOError | known.LoginError | known.TokenRetrievalError | known.RefreshWithMFAUnsupportedError
    ):
        return AwsError("expired", name, "the AWS session has ended, or was never begun.", _SIGN_IN)
    if isinstance(error, known.CredentialRetrievalError | known.MetadataRetrievalError | known.ConfigNotFound):
        return AwsError("credentials", name, f"the AWS credentials cannot be fetched ({name}).", _SIGN_IN)
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        return _unreachable(error, name)
    return AwsError(
        "refused", name, f"the call to AWS cannot be made ({name}): {_first_line(str(error))}", "See ~/.aws/config."
    )


def _unreachable(error: Any, name: str) -> AwsError:
    """Only the host is named: a URL of a proxy or an endpoint can hold a password."""
    url = str(error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url") or "")
    try:
        parts = urlsplit(url)
        place = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        place = None
    return AwsError(
        "unreachable",
        name,
        f"AWS cannot be reached at {place or 'its endpoint'} ({CONNECT_SECONDS} s, {ATTEMPTS} times): {name}.",
        "Check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; is a VPN missing?",
    )


def _denied_action(text: str) -> str:
    """The action that the policy lacks: often not the operation itself (rds:AddTagsToResource, kms:CreateGrant)."""
    found = _ACTION.search(text)
    return found[1] if found else ""


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0][:300] if text.strip() else "no reason was given"
    return line if line.endswith(".") else f"{line}."
