"""Statements that change the server itself and not the copy alone: roles, databases, tablespaces, settings of all."""

from __future__ import annotations

import re
from typing import Optional

_BEGINNING = r"(?:\A|;)(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
_OBJECT = r"(?P<object>(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE|TABLESPACE)|ALTER\s+SYSTEM)\b"
_MEMBERSHIP = r"(?P<membership>GRANT|REVOKE)\s(?:(?!\sON\s)[^;'])*\s(?:TO|FROM)\s"
_STATEMENT = re.compile("%s(?:%s|%s)(?P<rest>[^;]*)" % (_BEGINNING, _OBJECT, _MEMBERSHIP), re.IGNORECASE | re.DOTALL)
_IN_BLOCK = re.compile(r"\b%s(?P<rest>[^;]*)" % _OBJECT, re.IGNORECASE)
_NAME = r'\s+(?:"((?:[^"]|"")+)"|(\w+))'
_NAMED, _IN_DATABASE = re.compile(_NAME), re.compile(r"\bIN\s+DATABASE" + _NAME, re.IGNORECASE)


class ServerWide(Exception):
    """It was not run; the message is what it begins with."""


def server_wide(word: str, text: str, database: str) -> Optional[str]:
    """What the statement that begins with `word` would change beyond `database`, as `CREATE ROLE`; None: nothing.

    A DO block is read as far as its text goes: what it puts together is not seen.
    """
    if word not in ("", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "DO", "SET", "SELECT"):
        return None
    for found in (_IN_BLOCK if word == "DO" else _STATEMENT).finditer(text):
        if _is_of(found.group("rest"), database):
            continue
        what = found.group("object") or "%s of a role" % found.groupdict().get("membership")
        return " ".join(what.upper().split()) if found.group("object") else what
    return None


def _is_of(rest: str, database: str) -> bool:
    """Whether it is about this database: ALTER DATABASE name, ALTER ROLE ... IN DATABASE name."""
    if "current_database" in rest.lower():
        return True
    named = _IN_DATABASE.search(rest) or _NAMED.match(rest)
    return named is not None and database in named.groups()
