"""The lease as tags of AWS, and names of copies as identifiers that AWS takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from greenroom.postgres.lease import Lease

LEASE = "greenroom-lease"  # its id: what IAM policies and the search for leftovers go by
LONGEST_VALUE = 256  # characters of a tag's value (botocore's model of RDS: Tag.Value)
LONGEST_IDENTIFIER = 60  # of 63, which leaves room for a suffix
_PREFIX = "greenroom"
_FIELDS = ("by", "branch", "source", "made", "until", "pid", "kept")
_MACHINE, _BEGAN = f"{_PREFIX}-machine", f"{_PREFIX}-began"  # not there on what was made by an earlier version


def of_lease(lease: Lease) -> list[dict[str, str]]:
    """Given with the call that creates, so that nothing of ours ever stands without them."""
    named = {f"{_PREFIX}-{field}": str(getattr(lease, field)) for field in _FIELDS}
    named |= {_MACHINE: lease.machine, _BEGAN: str(lease.began)} if lease.machine else {}
    return [{"Key": key, "Value": value_of(text)} for key, text in {LEASE: lease.id, **named}.items()]


def lease_of(tags: Iterable[Mapping[str, str]] | None) -> Lease | None:
    """The lease that stands in tags; None where there is none, or what is there is not one of ours."""
    found = {tag["Key"]: tag.get("Value", "") for tag in tags or ()}
    try:
        by, branch, source, made, until, pid, kept = (found[f"{_PREFIX}-{field}"] for field in _FIELDS)
        datetime.fromisoformat(until).astimezone()
        lease = Lease(found[LEASE], by, branch, source, made, until, int(pid), kept == "True")
        return replace(lease, machine=found.get(_MACHINE, ""), began=int(found.get(_BEGAN, "0")))
    except (KeyError, ValueError, TypeError):
        return None


def value_of(text: str) -> str:
    """`text` in the characters that a tag may hold: letters, digits, spaces and + - = . _ : / @."""
    return "".join(letter if _allowed(letter) else "_" for letter in text)[:LONGEST_VALUE] or "-"


def identifier(name: str) -> str:
    """`greenroom-...` from a copy's name: letters, digits and single hyphens, whose end tells two copies apart."""
    words = re.findall(r"[a-z0-9]+", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower())
    suffix = words[-1][-12:] if words else "copy"
    room = LONGEST_IDENTIFIER - len(f"{_PREFIX}--{suffix}")
    middle = "-".join(words[:-1])[:room].strip("-")
    return "-".join(filter(None, [_PREFIX, middle, suffix]))


def _allowed(letter: str) -> bool:
    return letter in "_.:/=+-@" or unicodedata.category(letter)[0] in "LNZ"
