"""What Terraform says when it fails, as one sentence and a next step. Its own words follow where ours do not fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.infra import terraform
from greenroom.infra.stack import MODULE, Stack
from greenroom.infra.terraform import Done, Message, Stopped

MOST_LINES = 12
ERRORED = "errored.tfstate"  # Terraform's name for the state that it could not save
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
        r"(dial|read|write) tcp .+: |TLS handshake timeout|response.*: unexpected EOF",
        "a connection to AWS broke, or came to nothing, while Terraform worked.",
        "Run the same again: Terraform goes on from what is there. If it stays, check the network and HTTPS_PROXY.",
    ),
    Known(
        r"Saved plan is stale",
        "the state has changed since this was planned; nothing was applied.",
        "Run again, and look at the new plan.",
    ),
)


def complete(
    stack: Stack, doing: str, words: Sequence[str | Path], progress: Progress, heard: Callable[[Message], None]
) -> None:
    """A subcommand that must succeed; an interrupt is raised once it has ended. Raises GreenroomError."""
    try:
        done = terraform.run(stack, words, progress, heard)
    except Stopped as stopped:
        raise stopped.by from None
    if done.code != 0:
        raise failure(stack, doing, done)


def text_of(stack: Stack, doing: str, words: Sequence[str | Path]) -> str:
    """What a reading subcommand prints. Raises GreenroomError."""
    text, done = terraform.read(stack, words)
    if done.code != 0:
        raise failure(stack, doing, done)
    return text


def failure(stack: Stack, doing: str, done: Done) -> GreenroomError:
    """Why a subcommand failed, for people."""
    text = "\n".join([*map(_text, done.errors), *done.said])
    if ERRORED in text and (stack.module / ERRORED).is_file():
        return _unsaved(stack)
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
        f"{stack.by_hand} force-unlock {told.get('ID', 'ID')}",
    )


def _unsaved(stack: Stack) -> GreenroomError:
    """The one failure after which running again is wrong: it would make everything a second time."""
    return GreenroomError(
        f"Terraform could not save the state to {stack.bucket}; all that it knows lies in {MODULE / ERRORED}.",
        "Mend the way to AWS (did the credentials expire in the middle?), then save it, and run nothing before: "
        f"{stack.by_hand} state push {ERRORED}",
    )


def _text(diagnostic: Message) -> str:
    """Summary, detail and place, a line each."""
    place = diagnostic.get("range") or {}
    where = f"({place.get('filename')}, line {(place.get('start') or {}).get('line')})" if place else ""
    head = " ".join(filter(None, [str(diagnostic.get("address") or ""), str(diagnostic.get("summary", "")), where]))
    return "\n".join([head, *str(diagnostic.get("detail", "")).splitlines()])
