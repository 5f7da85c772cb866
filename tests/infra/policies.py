"""What an IAM policy allows: the part of AWS's evaluation that our policies use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Statement = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """The statements of one role."""

    statements: list[Statement]

    @classmethod
    def of(cls, document: str) -> Policy:
        """Of its JSON."""
        return cls(json.loads(document)["Statement"])

    @property
    def actions(self) -> set[str]:
        """That some statement allows."""
        return {action for one in self.statements if one["Effect"] == "Allow" for action in listed(one["Action"])}

    @property
    def everywhere(self) -> set[str]:
        """Actions that are allowed on `*`."""
        found = [one for one in self.statements if one["Effect"] == "Allow" and "*" in listed(one["Resource"])]
        return {action for one in found for action in listed(one["Action"])}

    def allows(self, action: str, resource: str, **context: str) -> bool:
        """A deny wins, and what nobody allows is denied. `context`: condition keys, `:` and `/` written as `__`."""
        facts = {name.replace("__", ":"): value for name, value in context.items()}
        hits = [one for one in self.statements if _applies(one, action, resource, facts)]
        return bool(hits) and all(one["Effect"] == "Allow" for one in hits)


def listed(value: Any) -> list[str]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def _applies(statement: Statement, action: str, resource: str, facts: dict[str, str]) -> bool:
    return (
        any(fnmatchcase(action.lower(), pattern.lower()) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        and all(_holds(test, wanted, facts) for test, wanted in statement.get("Condition", {}).items())
    )


def _holds(test: str, wanted: dict[str, Any], facts: dict[str, str]) -> bool:
    """StringEquals is exact; StringLike and ArnEquals know `*`."""
    match = {"StringEquals": str.__eq__, "StringLike": fnmatchcase, "ArnEquals": fnmatchcase}[test]
    return all(
        key in facts and any(match(facts[key], value) for value in listed(values)) for key, values in wanted.items()
    )
