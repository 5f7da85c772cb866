"""A statement of the app's, and what its text says without being parsed."""

from __future__ import annotations

import re
from typing import Any, Callable

FIRST_WORDS = re.compile(r"\A(?:[\s(;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]*)\s*([A-Za-z]*)", re.DOTALL)
RENAMES = re.compile(r"\bRENAME\b|\bSET\s+SCHEMA\b", re.IGNORECASE)
ROWS_ONLY = frozenset("SELECT INSERT UPDATE DELETE MERGE VALUES WITH".split())
CONTROL = frozenset("BEGIN START COMMIT END ROLLBACK ABORT SET RESET SHOW PREPARE DISCARD LISTEN UNLISTEN".split())
BY_INDEX = re.compile(r"\b(?:REFERENCES|VALIDATE|CLUSTER)\b", re.IGNORECASE)  # may read whole tables through an index


class Statement:
    """One call of a cursor's execute or executemany."""

    def __init__(self, sql: Any, many: bool, cursor: Any, run: Callable[[], Any]) -> None:
        self.text, self.many, self.cursor, self.run = _render(sql, cursor), many, cursor, run
        self.key = hash(self.text)
        self.words = tuple(str(word).upper() for word in FIRST_WORDS.match(self.text).groups(""))  # type: ignore[union-attr]
        self.word, second = self.words
        self.is_control = self.word in CONTROL and second != "CONSTRAINTS"
        self.keeps_a_cursor = getattr(cursor.cursor, "name", None) is not None  # a named one: fetched from later
        self.reads_by_index = self.word not in ROWS_ONLY and BY_INDEX.search(self.text) is not None
        self.renames = self.word == "ALTER" and RENAMES.search(self.text) is not None


def _render(sql: Any, cursor: Any) -> str:
    """SQL as text: a string, bytes, or one of the drivers' composed statements."""
    if isinstance(sql, (str, bytes)):
        return sql if isinstance(sql, str) else sql.decode(errors="replace")
    try:
        return str(sql.as_string(cursor.cursor))
    except Exception:
        return "/* SQL of type %s */" % type(sql).__name__
