"""Reading the app's variables from the parameters of AWS SSM, once, at the start. Nothing else talks to AWS.

By botocore alone: boto3 would only add to the time that a start takes. Imported only when SSM is read.
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from config.variables import BadEnvironment, Variables, is_set_by_task_definition, name

CONNECT_SECONDS = 3
READ_SECONDS = 10
ATTEMPTS = 5  # of each call, the first included
PAGE = 10  # parameters, the most that SSM gives at once
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}

logger = logging.getLogger(__name__)


def values(kind: type[Variables], path: str, region: str) -> dict[str, str]:
    """The variables of `kind` that parameters below the path hold, by name; warns of every other parameter there.

    Raises BadEnvironment, in one sentence, when SSM cannot be read.
    """
    found = {key.removeprefix(f"{path}/"): value for key, value in parameters(path, region).items()}
    declared = {name(field): field for field in kind.model_fields.values()}
    ours = {key for key in found.keys() & declared.keys() if not is_set_by_task_definition(declared[key])}
    unused = sorted(found.keys() - ours)
    warn(path, "the registry has no such variable", [key for key in unused if key not in declared])
    warn(path, "the task definition sets it", [key for key in unused if key in declared])
    return {key: found[key] for key in ours}


def warn(path: str, why: str, unused: list[str]) -> None:
    """In one line: there may be many, in each container."""
    if unused:
        logger.warning("SSM parameters below %s that are not used, since %s: %s.", path, why, ", ".join(unused))


def parameters(path: str, region: str) -> dict[str, str]:
    """Every parameter below the path, decrypted, by its whole name. A page may be empty and others follow."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from botocore.session import Session

    logging.getLogger("botocore").setLevel(logging.WARNING)  # at DEBUG it writes whole answers, secrets with them
    patience = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        user_agent_extra="ledger",
    )
    try:
        session = Session(include_builtin_handlers=False)  # they are for other services, and cost 4 ms
        with closing(session.create_client("ssm", region_name=region, config=patience)) as client:
            pages = client.get_paginator("get_parameters_by_path").paginate(
                Path=path, Recursive=True, WithDecryption=True, PaginationConfig={"PageSize": PAGE}
            )
            return {found["Name"]: found["Value"] for page in pages for found in page["Parameters"]}
    except ClientError as error:
        sentence = refused(error.response.get("Error", {}).get("Code", ""), path, region)
    except BotoCoreError as error:
        sentence = unreachable(error, path, region)
    except (KeyError, ValueError, ResponseParserError) as error:  # their text quotes the address, or what was answered
        sentence = (
            f"SSM's endpoint in {region} is no address, or what answers there for {path} is not SSM "
            f"({type(error).__name__}): see AWS_ENDPOINT_URL and HTTPS_PROXY."
        )
    raise BadEnvironment(sentence)


def refused(code: str, path: str, region: str) -> str:
    """By AWS's own code; its text can quote the request."""
    if code in DENIED:
        need = "ssm:GetParametersByPath there, and kms:Decrypt where a key of your own encrypts"
        return f"SSM does not let this container read {path} in {region} ({code}): its task role needs {need}."
    return (
        f"SSM does not answer for {path} in {region} ({code}): see the health of AWS, and the task role's credentials."
    )


def unreachable(error: Any, path: str, region: str) -> str:
    """Only the host is named: the URL of a proxy or an endpoint can hold a password."""
    from botocore import exceptions as known

    kind = type(error).__name__
    if isinstance(error, known.NoCredentialsError | known.PartialCredentialsError | known.CredentialRetrievalError):
        return f"There are no AWS credentials to read {path} in {region} from SSM ({kind}): give the task a task role."
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "its endpoint"
        return (
            f"SSM cannot be reached at {host} to read {path} ({kind}, {ATTEMPTS} attempts): "
            "the task's subnet needs a way there, a NAT gateway or a VPC endpoint for SSM."
        )
    return f"SSM cannot be asked for {path} in {region} ({kind}): see AWS_DEFAULT_REGION, and the task role."
