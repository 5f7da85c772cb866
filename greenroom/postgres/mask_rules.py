"""The rules of `masks = {"auth_user.email" = "email"}`: read and checked, before any server is asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenroom.errors import GreenroomError
from greenroom.postgres.mask_kinds import KINDS, SQL

_PART = r'"(?:[^"]|"")+"|[^".\s]+'
_COLUMN = re.compile(rf"(?:({_PART})\.)?({_PART})\.({_PART})")

_ALIKE = 0.7  # of difflib's ratio: a letter or two
REMEDY = "Correct it in pyproject.toml; nothing has been copied."


@dataclass(frozen=True)
class Rule:
    """One column and how it is masked: `kind` is a name of KINDS, or `sql` with its expression."""

    key: str
    schema: str
    table: str
    column: str
    kind: str
    sql: str = ""

    @property
    def changes(self) -> bool:
        """Whether values become others at all."""
        return self.kind != "keep"

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.column}"


def rules(masks: Mapping[str, str], target: str) -> list[Rule]:
    """From `[schema.]table.column` and kind: public when no schema is told, names as they are, odd ones in quotes.

    Raises GreenroomError, naming every entry of the target's masks that cannot be read.
    """
    found: list[Rule] = []
    wrong = []
    for key, kind in masks.items():
        read = _rule(key, kind)
        if isinstance(read, Rule):
            twin = next((rule.key for rule in found if str(rule) == str(read)), None)
            found.append(read)
            read = f"the same column as {twin}" if twin else read
        if isinstance(read, str):
            wrong.append(f"{path(target, key)}: {read}")
    if wrong:
        raise GreenroomError("; ".join(wrong), "Correct it in pyproject.toml.")
    return found


def path(target: str, key: str) -> str:
    """Where the rule stands in pyproject.toml."""
    return f'tool.greenroom.databases.{target}.masks."{key}"'


def similar(name: str, known: Iterable[str]) -> str:
    """` (similar: a, b)`, or nothing; public goes without saying."""
    names = sorted({other.removeprefix("public.") for other in known})
    close = difflib.get_close_matches(name.removeprefix("public."), names, n=3, cutoff=_ALIKE)
    return f" (similar: {', '.join(close)})" if close else ""


def _rule(key: str, kind: str) -> Rule | str:
    """The rule, or what is wrong with it."""
    match = _COLUMN.fullmatch(key.strip())
    if match is None:
        return "it is not of the form [schema.]table.column"
    schema, table, column = (_unquoted(part) for part in match.groups(default="public"))
    name, colon, expression = kind.partition(":")
    if colon and name == SQL:
        expression = expression.strip()
        return Rule(key, schema, table, column, SQL, expression) if expression else "no expression follows sql:"
    if kind not in KINDS:
        return f"there is no kind {kind}{similar(kind, KINDS)}; there are {', '.join(KINDS)}, and sql:EXPRESSION"
    return Rule(key, schema, table, column, kind)


def quoted(name: str) -> str:
    """A part of a rule's key, in SQL's quotes where it needs them."""
    return name if re.fullmatch(r'[^".\s]+', name) else '"{}"'.format(name.replace('"', '""'))


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
