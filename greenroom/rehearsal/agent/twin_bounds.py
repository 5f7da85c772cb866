"""What an operation sets or holds for the operations after it: in steps of their own it would end too early."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence

LIMITS = ("lock_timeout", "statement_timeout")

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_START = r"(?:\A|;|\bBEGIN\b|\bTHEN\b)\s*"
_SETS = re.compile(_START + r"(?:SET\s+(?!CONSTRAINTS\b)|RESET\s)", re.IGNORECASE)
_SET = re.compile(
    r"SET\s+(?:(?P<scope>LOCAL|SESSION)\s+)?(?P<name>\"?[a-z_][\w.]*\"?)\s*(?:=|\bTO\b)\s*(?P<value>.+)\Z",
    re.IGNORECASE | re.DOTALL,
)
_RESET = re.compile(r"RESET\s+(?P<name>\"?[a-z_][\w.]*\"?)\Z", re.IGNORECASE)
_OF_THE_TRANSACTION = (
    (r"\bLOCK\s+TABLE\b|%sLOCK\b" % _START, "LOCK TABLE"),
    (r"\bpg_(?:try_)?advisory_xact_lock", "an advisory lock"),
    (r"\bSET\s+CONSTRAINTS\b[^;]*\bDEFERRED\b", "SET CONSTRAINTS ... DEFERRED"),
    (r"%sSET\s+TRANSACTION\b" % _START, "SET TRANSACTION"),
    (r"\bDISABLE\s+(?:TRIGGER|RULE|ROW)\b", "DISABLE"),
)
_OF_THE_SESSION = (
    (r"\bpg_(?:try_)?advisory_lock", "an advisory lock"),
    (r"\bset_config\s*\(", "set_config"),
    (r"\bTEMP(?:ORARY)?\s+(?:TABLE|VIEW|SEQUENCE)\b|\bINTO\s+TEMP|\bpg_temp\.", "a temporary table"),
    (r"%sDECLARE\s[^;]*\bCURSOR\b" % _START, "a cursor"),
)


class Setting(NamedTuple):
    """A parameter of the server that was set, or, without a value, reset; `local`: for one transaction."""

    name: str
    value: Optional[str]
    local: bool

    @property
    def sql(self) -> str:
        """What sets it in the same way again."""
        if self.value is None:
            return "RESET %s" % self.name
        return "SET %s%s = %s" % ("LOCAL " * self.local, self.name, self.value)


class Held(NamedTuple):
    """Of one operation: what it has set, in words what else it holds, and whether it does nothing but set."""

    settings: Sequence[Setting] = ()
    lost: Optional[str] = None
    only_sets: bool = False


def is_bound(text: str) -> bool:
    """Whether the statement is to be kept for `held`."""
    return bool(_SETS.search(_COMMENT.sub(" ", text))) or _named(text, True) is not None


def held(operations: Iterable[Any], texts: Sequence[str], atomic: bool) -> Held:
    """What these texts, of an operation with these operations in it, set and hold. `atomic`: the migration is."""
    from django.db import migrations

    lost = next(filter(None, (_named(text, atomic) for text in texts)), None)
    settings: List[Setting] = []
    only = True
    for text in texts:
        found = _settings(text)
        if found is None:
            lost = lost or "a SET among other things"
            continue
        settings += [setting for setting in found if atomic or not setting.local]
        only = only and len(found) == len(_statements(text))
    lasting = [setting for setting in _last(settings) if setting.value is not None]
    if all(isinstance(one, migrations.RunSQL) for one in operations):
        return Held(settings, lost, bool(settings) and only and not lost)
    return Held((), lost or ("SET in Python" if lasting else None))


def in_force(before: Sequence[Setting], more: Sequence[Setting]) -> List[Setting]:
    """Both, without what is set again in the same way."""
    again = {(setting.name, setting.local) for setting in more}
    return [setting for setting in before if (setting.name, setting.local) not in again] + list(_last(more))


def limit(name: str, settings: Sequence[Setting], at_start: Dict[str, str], session: bool = False) -> Optional[Setting]:
    """The limit of this name that holds; None where none does. `session`: outside of a transaction."""
    found = [setting for setting in settings if setting.name == name and not (session and setting.local)]
    if found and found[-1].value is not None:
        return None if found[-1].value.strip("'\" ") == "0" else found[-1]
    return Setting(name, None, False) if at_start.get(name, "0") != "0" else None


def _last(settings: Sequence[Setting]) -> List[Setting]:
    return list({(setting.name, setting.local): setting for setting in settings}.values())


def _named(text: str, atomic: bool) -> Optional[str]:
    text = _COMMENT.sub(" ", text)
    patterns = [*_OF_THE_SESSION, *(_OF_THE_TRANSACTION if atomic else ())]
    return next((words for pattern, words in patterns if re.search(pattern, text, re.IGNORECASE)), None)


def _statements(text: str) -> List[str]:
    return [part.strip() for part in _COMMENT.sub(" ", text).split(";") if part.strip()]


def _settings(text: str) -> Optional[List[Setting]]:
    """None where something is set in a way that is not known."""
    found = []
    for part in _statements(text):
        match = _SET.match(part) or _RESET.match(part)
        if match is None:
            continue
        words = match.groupdict()
        value = words.get("value")
        if value is not None and (value.count("'") % 2 or "%s" in value or "$" in value):
            return None
        value = None if value is None or value.strip().upper() == "DEFAULT" else value.strip()
        found.append(Setting(match["name"].strip('"').lower(), value, (words.get("scope") or "").upper() == "LOCAL"))
    return found if len(found) == len(_SETS.findall(_COMMENT.sub(" ", text))) else None
