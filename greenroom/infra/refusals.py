"""What Terraform says when it fails, as one sentence and a next step. Its own words follow where ours do not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from greenroom.errors import GreenroomError
from greenroom.infra.stack import Stack
from greenroom.infra.terraform import Done, Message

MOST_LINES = 12
_LOCK = re.compile(r"^\s*(ID|Who|Created|Operation):\s+(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Known:
    """A failure that people meet: a pattern of Terraform's text, and what it means for them."""

    pattern: str
    sentence: str
    hint: str


_KNOWN = (
    Known(
        r"ExpiredToken|token.{0,20}expired|SSO session.{0,40}expired|refresh cached SSO token failed",
        "the AWS credentials have expired.",
        "Sign in again (`aws sso login`), then run again.",
    ),
    Known(
        r"No valid credential sources found|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch",
        "AWS does not accept the credentials, or there are none.",
        "Sign in (`aws sso login`), or name a profile: profile = in [tool.greenroom.environments.{environment}].",
    ),
    Known(
        r"AWS account ID not allowed|account.{0,30}not allowed",
        "the AWS credentials are of an account that {environment} is not in.",
        "Sign in to {account}, or name a profile: profile = in [tool.greenroom.environments.{environment}].",
    ),
    Known(
        r"Failed to query available provider packages|could not connect to registry|Failed to install provider",
        "Terraform cannot fetch its provider: the registry is not reached.",
        "Check the network and HTTPS_PROXY; a mirror is named in ~/.terraformrc (provider_installation).",
    ),
    Known(
        r"S3 bucket \"[^\"]*\" does not exist|NoSuchBucket",
        "the bucket of the state, {bucket}, does not exist.",
        "Make it, once: ./inv tf-bootstrap --environment {environment}",
    ),
    Known(
        r"Saved plan is stale",
        "the state has changed since this was planned; nothing was applied.",
        "Run again, and look at the new plan.",
    ),
)


def failure(stack: Stack, doing: str, done: Done) -> GreenroomError:
    """Why a subcommand failed, for people."""
    text = "\n".join([*map(_text, done.errors), *done.said])
    if "Error acquiring the state lock" in text:
        return _locked(stack, text)
    environment = stack.environment
    facts = {"environment": environment.name, "account": environment.account, "bucket": stack.bucket}
    for known in _KNOWN:
        if re.search(known.pattern, text, re.IGNORECASE):
            return GreenroomError(known.sentence.format(**facts), known.hint.format(**facts))
    lines = text.strip().splitlines() or [f"it ended with exit code {done.code} and said nothing"]
    more = [f"... and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
    return GreenroomError("\n  ".join([f"Terraform cannot {doing}:", *lines[:MOST_LINES], *more]))


def _locked(stack: Stack, text: str) -> GreenroomError:
    told = dict(_LOCK.findall(text))
    by = f" by {told['Who']}" if "Who" in told else ""
    since = f" since {told['Created']}" if "Created" in told else ""
    return GreenroomError(
        f"the state of {stack.environment.name} is locked{by}{since} ({told.get('Operation', 'unknown')}).",
        "Wait until that is done. If its process is gone for sure: "
        f"terraform -chdir={stack.module.name} force-unlock {told.get('ID', 'ID')}",
    )


def _text(diagnostic: Message) -> str:
    """Summary, detail and place, a line each."""
    place = diagnostic.get("range") or {}
    where = f"({place.get('filename')}, line {(place.get('start') or {}).get('line')})" if place else ""
    head = " ".join(filter(None, [str(diagnostic.get("address") or ""), str(diagnostic.get("summary", "")), where]))
    return "\n".join([head, *str(diagnostic.get("detail", "")).splitlines()])
