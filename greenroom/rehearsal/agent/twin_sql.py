"""What Django's schema editor has run, said again so that nobody has to wait: statement by statement, by its text.

Only the forms that Django itself writes are known. Names are taken over as they are: both ways end in the same schema.
"""

from __future__ import annotations

import re
from typing import Any, Callable, FrozenSet, List, Match, NamedTuple, Optional, Sequence, Tuple

NAME = r'"(?:[^"]|"")+"'
TABLE = r"(?P<table>%s(?:\.%s)?)" % (NAME, NAME)
COLUMN = r"(?P<column>%s)" % NAME
CONSTRAINT = r"(?P<name>%s)" % NAME
PAGES = 500  # of a table, in one transaction of a backfill

BRIEF, CONCURRENT, VALIDATE, FILL = "brief", "concurrent", "validate", "fill"


class Unwritable(Exception):
    """It cannot be written mechanically: one clause, as it follows `because`."""


class Piece(NamedTuple):
    """Statements that belong together, what takes them back, and the tables that they lock."""

    kind: str
    sql: Tuple[str, ...]
    reverse: Tuple[str, ...]
    tables: FrozenSet[str]


class Column(NamedTuple):
    """What the text of ADD COLUMN does not tell apart: the parts of the definition, and names that the server gave."""

    unique: Optional[str] = None  # name of the constraint
    check: Optional[str] = None  # name of the constraint
    check_sql: str = ""


def pieces_of(statements: Sequence[str], column: Column) -> List[Piece]:
    """The same in pieces, in an order in which they can run. Raises Unwritable for a statement that is not known."""
    statements = _without_passing_defaults(_without_rebuilt_keys(statements))
    found = _filled_again([piece for statement in statements for piece in _pieces(statement, column)])
    last = [piece for piece in found if piece.kind == VALIDATE and not _precedes_not_null(piece, found)]
    return [piece for piece in found if piece not in last] + last


def foreign_keys(statements: Sequence[str]) -> List[Piece]:
    """Of what Django ran for a new table: its foreign keys alone."""
    found = [piece for text in statements if (match := _FOREIGN_KEY.match(text)) for piece in _foreign_key(match)]
    return sorted(found, key=lambda piece: piece.kind == VALIDATE)


def dropped_indexes(statement: str) -> List[str]:
    """What drops the index that the statement creates, if it does."""
    match = re.compile(_INDEX, re.DOTALL).match(statement)
    return [_index(match)[0].sql[0]] if match else []


def validation(table: str, name: str) -> Piece:
    """Reads every row, and keeps nobody from reading or writing."""
    return Piece(VALIDATE, ("ALTER TABLE %s VALIDATE CONSTRAINT %s" % (table, name),), (), frozenset([table]))


def _pieces(statement: str, column: Column) -> List[Piece]:
    if statement.startswith("ALTER TABLE") and " ADD COLUMN " in statement:
        return _added(statement, column)
    for pattern, written in _KNOWN:
        match = pattern.match(statement)
        if match:
            return written(match)
    words = " ".join(re.sub(r'"(?:[^"]|"")*"(?:\."(?:[^"]|"")*")?', "", statement).split()[:4])
    raise Unwritable("%s has no twin that could be written without thinking" % words)


def _brief(sql: Sequence[str], reverse: Sequence[str], *tables: str) -> Piece:
    return Piece(BRIEF, tuple(sql), tuple(reverse), frozenset(tables))


def _index(match: Match[str]) -> List[Piece]:
    """A build that was cut off left an invalid index: the next one begins with dropping it."""
    table, name, unique = match["table"], match["name"], match["unique"] or ""
    schema = re.findall(NAME, table)[:-1]  # a dot may stand in a name too
    drop = "DROP INDEX CONCURRENTLY IF EXISTS %s" % ".".join([*schema, name])
    build = "CREATE %sINDEX CONCURRENTLY %s ON %s%s" % (unique, name, table, match["rest"])
    return [Piece(CONCURRENT, (drop, build), (drop,), frozenset([table]))]


def _unique(match: Match[str]) -> List[Piece]:
    return _unique_constraint(match["table"], match["name"], match["columns"] + match["nulls"], match["when"] or "")


def _unique_constraint(table: str, name: str, rest: str, when: str = "") -> List[Piece]:
    index = re.compile(_INDEX).match("CREATE UNIQUE INDEX %s ON %s %s" % (name, table, rest))
    assert index
    use = "ALTER TABLE %s ADD CONSTRAINT %s UNIQUE USING INDEX %s%s" % (table, name, name, when)
    return [*_index(index), _brief([use], ["ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s" % (table, name)], table)]


def _check(match: Match[str]) -> List[Piece]:
    return _check_constraint(match["table"], match["name"], match["condition"])


def _check_constraint(table: str, name: str, condition: str) -> List[Piece]:
    add = "ALTER TABLE %s ADD CONSTRAINT %s CHECK %s NOT VALID" % (table, name, condition)
    drop = "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s" % (table, name)
    return [_brief([add], [drop], table), validation(table, name)]


def _foreign_key(match: Match[str]) -> List[Piece]:
    table, name = match["table"], match["name"]
    columns = "FOREIGN KEY %s REFERENCES %s%s" % (match["columns"], match["parent"], match["rest"])
    return _key_constraint(table, name, columns, match["parent"])


def _key_constraint(table: str, name: str, definition: str, parent: str) -> List[Piece]:
    add = "ALTER TABLE %s ADD CONSTRAINT %s %s NOT VALID" % (table, name, definition)
    drop = "ALTER TABLE %s DROP CONSTRAINT IF EXISTS %s" % (table, name)
    return [_brief([add], [drop], table, parent), validation(table, name)]


def _not_null(match: Match[str]) -> List[Piece]:
    """SET NOT NULL believes a valid check."""
    table, column = match["table"], match["column"]
    name = '"%s_not_null_twin"' % column[1:-1][:40]
    added, validated = _check_constraint(table, name, "(%s IS NOT NULL)" % column)
    return [
        added,
        validated,
        _brief(
            [
                "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL" % (table, column),
                "ALTER TABLE %s DROP CONSTRAINT %s" % (table, name),
            ],
            ["ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL" % (table, column)],
            table,
        ),
    ]


def _precedes_not_null(piece: Piece, pieces: Sequence[Piece]) -> bool:
    after = pieces[pieces.index(piece) + 1 : pieces.index(piece) + 2]
    return bool(after) and " SET NOT NULL" in after[0].sql[0]


def _fill(match: Match[str]) -> List[Piece]:
    """In batches of pages, each in a transaction of its own; a row is read once, and none is locked for long."""
    table, column, value = match["table"], match["column"], match["value"]
    text = """DO $twin$
DECLARE
    page bigint := 0;
    parts bigint := greatest(1, (SELECT count(*) FROM pg_partition_tree(%(literal)s) WHERE isleaf));
    pages bigint := greatest(1, %(pages)s / parts);  -- of each partition, where there are any
BEGIN
    WHILE page * current_setting('block_size')::bigint < greatest(
        pg_relation_size(%(literal)s), (SELECT max(pg_relation_size(relid)) FROM pg_partition_tree(%(literal)s))
    ) LOOP
        UPDATE %(table)s SET %(column)s = %(value)s
        WHERE %(column)s IS NULL
        AND ctid >= ('(' || page || ',0)')::tid AND ctid < ('(' || page + pages || ',0)')::tid;
        COMMIT;
        page := page + pages;
    END LOOP;
END $twin$""" % {
        "literal": "'%s'" % table.replace("'", "''"),
        "table": table,
        "column": column,
        "value": value,
        "pages": PAGES,
    }
    if "$twin$" in value:
        raise Unwritable("the value to fill in cannot be quoted")
    return [Piece(FILL, (text,), (), frozenset([table]))]


def _kept(match: Match[str]) -> List[Piece]:
    """Changes the catalogue alone, and is nothing to take back: the default that a new column came with is dropped."""
    return [_brief([match.group()], [], match["table"])]


def _nullable(match: Match[str]) -> List[Piece]:
    back = "ALTER TABLE %s ALTER COLUMN %s SET NOT NULL" % (match["table"], match["column"])
    return [_brief([match.group()], [back], match["table"])]


_INDEX = r"CREATE (?P<unique>UNIQUE )?INDEX %s ON %s(?P<rest>.*)\Z" % (CONSTRAINT, TABLE)
_ALTER = r"ALTER TABLE %s " % TABLE
_ADD = _ALTER + "ADD CONSTRAINT %s " % CONSTRAINT
_FOREIGN_KEY = re.compile(
    _ADD + r"FOREIGN KEY (?P<columns>\([^()]*\)) REFERENCES (?P<parent>%s(?:\.%s)?)(?P<rest>.*)\Z" % (NAME, NAME)
)
_ADD_COLUMN = re.compile(_ALTER + r"ADD COLUMN %s (?P<definition>.*)\Z" % COLUMN, re.DOTALL)
_INLINE_KEY = re.compile(
    r"(?P<before>.*) CONSTRAINT %s REFERENCES (?P<parent>%s(?:\.%s)?)(?P<rest>\([^;]*)"
    r"; SET CONSTRAINTS [^;]* IMMEDIATE\Z" % (CONSTRAINT, NAME, NAME),
    re.DOTALL,
)
_DROP_KEY = re.compile(r"SET CONSTRAINTS [^;]* IMMEDIATE; ALTER TABLE %s DROP CONSTRAINT %s\Z" % (TABLE, CONSTRAINT))
_DEFAULT = re.compile(_ALTER + r"ALTER COLUMN %s (?P<verb>SET|DROP) DEFAULT(?P<value>.*)\Z" % COLUMN, re.DOTALL)
_KNOWN: List[Tuple[Any, Callable[[Match[str]], List[Piece]]]] = [
    (re.compile(_INDEX, re.DOTALL), _index),
    (
        re.compile(
            _ADD
            + r"UNIQUE(?P<nulls>[A-Z ]*) (?P<columns>\(%s(?:, %s)*\))(?P<when> DEFERRABLE[A-Z ]*)?\Z" % (NAME, NAME)
        ),
        _unique,
    ),
    (re.compile(_ADD + r"CHECK (?P<condition>\(.*\))\Z", re.DOTALL), _check),
    (_FOREIGN_KEY, _foreign_key),
    (re.compile(_ALTER + r"ALTER COLUMN %s SET NOT NULL\Z" % COLUMN), _not_null),
    (re.compile(_ALTER + r"ALTER COLUMN %s DROP NOT NULL\Z" % COLUMN), _nullable),
    (_DEFAULT, _kept),
    (
        re.compile(
            r"UPDATE %s SET %s = (?P<value>.*) WHERE (?P=column) IS NULL(?:; SET CONSTRAINTS ALL IMMEDIATE)?\Z"
            % (TABLE, COLUMN),
            re.DOTALL,
        ),
        _fill,
    ),
]


def _added(statement: str, known: Column) -> List[Piece]:
    """ADD COLUMN without what would be looked up in every row; then that, piece by piece."""
    match = _ADD_COLUMN.match(statement)
    if match is None:
        raise Unwritable("its ADD COLUMN is none of Django's")
    table, column, definition = match["table"], match["column"], match["definition"]
    later: List[Piece] = []
    key = _INLINE_KEY.match(definition)
    if key:
        definition = key["before"]
        text = "FOREIGN KEY (%s) REFERENCES %s %s" % (column, key["parent"], key["rest"])
        later += _key_constraint(table, key["name"], text, key["parent"])
    if known.check and definition.endswith(" CHECK (%s)" % known.check_sql):
        definition = definition[: -len(" CHECK (%s)" % known.check_sql)]
        later += _check_constraint(table, known.check, "(%s)" % known.check_sql)
    if known.unique and definition.endswith(" UNIQUE"):
        definition = definition[: -len(" UNIQUE")]
        later += _unique_constraint(table, known.unique, "(%s)" % column)
    add = "ALTER TABLE %s ADD COLUMN %s %s" % (table, column, definition)
    return [_brief([add], ["ALTER TABLE %s DROP COLUMN IF EXISTS %s CASCADE" % (table, column)], table), *later]


def _without_rebuilt_keys(statements: Sequence[str]) -> List[str]:
    """Without foreign keys that are dropped and added again under one name: nothing of them has changed."""
    dropped = {match["name"] for text in statements if (match := _DROP_KEY.match(text))}
    added = {match["name"] for text in statements if (match := _FOREIGN_KEY.match(text))}
    again = dropped & added
    return [
        text
        for text in statements
        if not any((match := pattern.match(text)) and match["name"] in again for pattern in (_DROP_KEY, _FOREIGN_KEY))
    ]


def _without_passing_defaults(statements: Sequence[str]) -> List[str]:
    """Without a default that is set and dropped again: it was for those who wait for one transaction's end."""
    found = [(text, match) for text in statements if (match := _DEFAULT.match(text))]
    dropped = {(match["table"], match["column"]) for _, match in found if match["verb"] == "DROP"}
    passing = {(match["table"], match["column"]) for _, match in found if match["verb"] == "SET"}
    if passing - dropped:
        raise Unwritable("it changes the column's default in the database too")
    gone = [text for text, match in found if (match["table"], match["column"]) in passing]
    return [text for text in statements if text not in gone]


def _filled_again(pieces: Sequence[Piece]) -> List[Piece]:
    """Rows that became NULL before the check was there are filled after it: then it holds for all."""
    found: List[Piece] = []
    for piece in pieces:
        before = found[-1] if found else None
        found.append(piece)
        if before and before.kind == FILL and "IS NOT NULL) NOT VALID" in piece.sql[0]:
            found.append(before)
    return found
