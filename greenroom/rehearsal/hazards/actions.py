"""What a statement sets out to do, read from its normalised SQL: only to name what was measured, never to prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_NAME = rf"{_PART}(?:\.{_PART})?"
_IF = r"(?:IF (?:NOT )?EXISTS )?"

_ALTER = re.compile(rf"ALTER TABLE {_IF}(?:ONLY )?(?P<table>{_NAME}) (?P<rest>.*)", re.I | re.S)
_PLAIN = [
    ("create index", rf"CREATE (?P<words>UNIQUE )?INDEX (?:CONCURRENTLY )?{_IF}(?:(?P<name>{_NAME}) )?"
     rf"ON (?:ONLY )?(?P<table>{_NAME})"),
    ("drop index", rf"DROP INDEX (?:CONCURRENTLY )?{_IF}(?P<name>{_NAME})"),
    ("reindex", rf"REINDEX (?:\([^)]*\) ?)?(?P<words>INDEX|TABLE|SCHEMA|DATABASE|SYSTEM)\b(?: CONCURRENTLY)?"
     rf"(?: (?P<name>{_NAME}))?"),
    ("comment", rf"COMMENT ON COLUMN (?P<table>{_NAME})\.(?P<column>{_PART}) IS"),
    ("cluster", r"CLUSTER\b"),
    ("vacuum full", r"VACUUM (?:\([^)]*)?FULL\b"),
    ("refresh", rf"REFRESH MATERIALIZED VIEW (?P<words>CONCURRENTLY )?(?P<table>{_NAME})"),
    ("truncate", rf"TRUNCATE (?:TABLE )?(?:ONLY )?(?P<table>{_NAME})"),
    ("drop view", rf"DROP (?:MATERIALIZED )?VIEW {_IF}(?P<listed>(?P<table>{_NAME})(?:, ?{_NAME})*)"),
    ("alter domain", rf"ALTER DOMAIN (?P<name>{_NAME}) (?P<words>ADD|VALIDATE|SET NOT NULL)"),
    ("add enum value", rf"ALTER TYPE (?P<name>{_NAME}) ADD VALUE"),
    ("trigger", rf"(?P<words>CREATE|DROP)(?: OR REPLACE)?(?: CONSTRAINT)? TRIGGER {_IF}(?P<name>{_PART})"
     rf" .*?\bON (?P<table>{_NAME})"),
    ("policy", rf"(?P<words>CREATE|ALTER|DROP) POLICY {_IF}(?P<name>{_PART}) ON (?P<table>{_NAME})"),
    ("create table", rf"CREATE (?:UNLOGGED )?TABLE {_IF}(?P<table>{_NAME}) \("),
    ("create partition", rf"CREATE TABLE {_IF}(?P<name>{_NAME}) PARTITION OF (?P<table>{_NAME})"),
    ("drop table", rf"DROP TABLE {_IF}(?P<table>{_NAME})"),
    ("write", rf"(?P<words>UPDATE|DELETE FROM|INSERT INTO|MERGE INTO) (?:ONLY )?(?P<table>{_NAME})"),
    ("write", rf"WITH .*?\b(?P<words>UPDATE|DELETE FROM|INSERT INTO|MERGE INTO) (?:ONLY )?(?P<table>{_NAME})"),
    ("reset lock_timeout", r"(?:RESET |SET (?P<words>LOCAL |SESSION )?)\"?lock_timeout\"?(?:$| ?(?:=|TO) ?DEFAULT)"),
    ("lift lock_timeout", r"SET (?P<words>LOCAL |SESSION )?\"?lock_timeout\"? ?(?:=|TO) ?'?0 ?\w*'?$"),
    ("set lock_timeout", r"SET (?P<words>LOCAL |SESSION )?\"?lock_timeout\"? ?(?:=|TO)"),
]  # fmt: skip
_CLAUSES = [
    ("add constraint", rf"ADD (?:CONSTRAINT (?P<name>{_PART}) )?(?P<words>UNIQUE|PRIMARY KEY|CHECK|FOREIGN KEY|EXCLUDE|"
     r"NOT NULL)\b"),
    ("add column", rf"ADD (?:COLUMN )?{_IF}(?P<column>{_PART}) (?P<words>.*)"),
    ("alter type", rf"ALTER (?:COLUMN )?(?P<column>{_PART}) (?:SET DATA )?TYPE (?P<type>[\w ]+(?:\([\d, ]+\))?)"),
    ("set not null", rf"ALTER (?:COLUMN )?(?P<column>{_PART}) SET NOT NULL"),
    ("set default", rf"ALTER (?:COLUMN )?(?P<column>{_PART}) SET DEFAULT"),
    ("drop default", rf"ALTER (?:COLUMN )?(?P<column>{_PART}) DROP DEFAULT"),
    ("move", r"SET (?P<words>TABLESPACE|UNLOGGED|LOGGED|ACCESS METHOD)\b"),
    ("attach", rf"ATTACH PARTITION (?P<name>{_NAME})"),
    ("detach", rf"DETACH PARTITION (?P<name>{_NAME})(?: (?P<words>CONCURRENTLY|FINALIZE))?"),
    ("trigger", rf"(?P<words>ENABLE|DISABLE) (?:(?:ALWAYS|REPLICA) )?TRIGGER (?P<name>{_PART})"),
    ("policy", r"(?P<words>(?:ENABLE|DISABLE|FORCE|NO FORCE) ROW LEVEL SECURITY)"),
    ("drop constraint", rf"DROP CONSTRAINT {_IF}(?P<name>{_PART})"),
    ("drop column", rf"DROP (?:COLUMN )?{_IF}(?P<column>{_PART})"),
    ("validate", rf"VALIDATE CONSTRAINT (?P<name>{_PART})"),
]  # fmt: skip
_PLAIN_PATTERNS = [(kind, re.compile(pattern, re.I | re.S)) for kind, pattern in _PLAIN]
_CLAUSE_PATTERNS = [(kind, re.compile(pattern, re.I | re.S)) for kind, pattern in _CLAUSES]
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_PARENT = re.compile(rf"\bREFERENCES (?P<parent>{_NAME})(?: ?\((?P<columns>{_PART}(?:, ?{_PART})*)\))?", re.I)
_COLUMNS = re.compile(
    rf"(?:UNIQUE|KEY|\bON (?:ONLY )?{_NAME}(?: USING \w+)?) ?\((?P<columns>{_PART}(?:, ?{_PART})*)(?: \w+_ops)?\)", re.I
)
_METHOD = re.compile(r"\bUSING (\w+) ?\(")
_PLAIN_INDEX = re.compile(rf"\bON (?:ONLY )?{_NAME}(?: USING \w+)? ?\({_PART}(?:, ?{_PART})*\)$", re.I)
_WORDS = {
    **{
        word: word for word in ("UNIQUE", "PRIMARY KEY", "CHECK", "FOREIGN KEY", "NOT NULL", "NOT VALID", "USING INDEX")
    },
    **{word: word for word in ("GENERATED", "STORED", "IDENTITY", "DEFAULT", "CONCURRENTLY", "AT TIME ZONE")},
    "SERIAL": r"(?:(?:BIG|SMALL)?SERIAL[248]?|NEXTVAL)",
    "PATTERN_OPS": r"\w+_PATTERN_OPS",
}


@dataclass(frozen=True)
class Action:
    """One thing that a statement does; names without quotes, tables without `public`."""

    kind: str
    table: str = ""
    name: str = ""
    column: str = ""
    columns: tuple[str, ...] = ()
    parent: str = ""
    parent_columns: tuple[str, ...] = ()  # as the statement names them
    type: str = ""
    words: frozenset[str] = frozenset()
    listed: tuple[str, ...] = ()  # where one statement names several

    @property
    def makes_foreign_key(self) -> bool:
        """Adds a foreign key that is checked at once, as a constraint or with its column."""
        return self.kind in ("add constraint", "add column") and bool(self.parent) and "NOT VALID" not in self.words


@lru_cache(maxsize=4096)
def actions(sql: str) -> tuple[Action, ...]:
    """Everything that the (normalised) SQL does, as far as a hazard asks for it."""
    return tuple(action for statement in _split(sql, ";") for action in _read(statement))


def altered_table(sql: str) -> str:
    """The table of an ALTER TABLE, whatever it does; empty for other statements."""
    altered = _ALTER.match(sql)
    return unquoted(altered["table"]) if altered else ""


def _read(statement: str) -> Iterator[Action]:
    altered = _ALTER.match(statement)
    if altered:
        table = unquoted(altered["table"])
        for clause in _split(altered["rest"], ","):
            for kind, pattern in _CLAUSE_PATTERNS:
                if match := pattern.match(clause):
                    yield _action(kind, match, clause, table)
                    break
        return
    for kind, pattern in _PLAIN_PATTERNS:
        if match := pattern.match(statement):
            yield _action(kind, match, statement, unquoted(match.groupdict().get("table") or ""))
            return


def _action(kind: str, match: re.Match[str], text: str, table: str) -> Action:
    found = match.groupdict()
    bare = _QUOTED.sub("", text).upper()
    parent, listed = _PARENT.search(text), _COLUMNS.search(text) if kind in ("add constraint", "create index") else None
    columns = _names(listed["columns"]) if listed else ()
    words = {word for word, pattern in _WORDS.items() if re.search(rf"\b{pattern}\b", bare)}
    words |= {word.strip().upper() for word in (found.get("words"),) if word and kind != "add column"}
    if kind == "create index":
        words |= {f"USING {method}" for method in _METHOD.findall(bare)}
        words |= {"PLAIN"} if _PLAIN_INDEX.search(text) else set()
    return Action(
        kind=kind,
        table=table,
        name=unquoted(found.get("name") or ""),
        column=unquoted(found.get("column") or "") or (columns[0] if columns else ""),
        columns=columns,
        parent=unquoted(parent["parent"]) if parent else "",
        parent_columns=_names(parent["columns"] or "") if parent else (),
        type=(found.get("type") or "").split(" USING ")[0].split(" COLLATE ")[0].strip(),
        words=frozenset(words),
        listed=tuple(unquoted(name) for name in re.findall(_NAME, found.get("listed") or "")),
    )


def _names(listed: str) -> tuple[str, ...]:
    return tuple(unquoted(name) for name in re.findall(_PART, listed))


def unquoted(name: str) -> str:
    """A name as the document has it: without quotes, and without the schema where that is public."""
    parts = re.findall(_PART, name)
    plain = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
    return ".".join(plain).removeprefix("public.")


def _split(text: str, mark: str) -> Iterator[str]:
    """The parts between marks that stand outside of quotes and parentheses."""
    depth, start = 0, 0
    for token in re.finditer(r'"(?:[^"]|"")*"|[(),;]', text):
        depth += {"(": 1, ")": -1}.get(token.group(), 0)
        if token.group() == mark and depth <= 0:
            yield text[start : token.start()].strip()
            start = token.end()
    yield text[start:].strip()
