"""What tables hold, by count and checksum: enough to say what was lost, without any value leaving the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from greenroom.rehearsal.recorder import label
from greenroom.rehearsal.report.words import counted

LARGEST = 4 << 30  # bytes: a larger table is not read through

_COLUMNS = """
SELECT n.nspname, c.relname, pg_table_size(c.oid) <= %s,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
"""


@dataclass(frozen=True)
class Values:
    """One table: its rows, and of each column how many are not null and the sum of their hashes."""

    rows: int
    columns: dict[str, tuple[int, int]] = field(default_factory=dict)


def read(connection: psycopg.Connection, tables: set[str]) -> dict[str, Values]:
    """Of these tables, as the document names them, that are there and not too large; each is read once."""
    found = {}
    for schema, name, readable, columns in connection.execute(_COLUMNS, [LARGEST]).fetchall():
        if label(f"{schema}.{name}") in tables and readable:
            found[label(f"{schema}.{name}")] = _values(connection, schema, name, columns)
    return found


def gone(now: Values | None, then: Values | None) -> Iterator[str]:
    """What `now` holds and `then` has no place for: `column note (1,000 values)`, `the table (20 rows)`."""
    if now is None:
        return
    if then is None:
        yield f"the table ({counted(now.rows, 'row')})"
        return
    for column, (count, _) in now.columns.items():
        if column not in then.columns:
            yield f"column {column} ({counted(count, 'value')})"


def changed(was: Values | None, then: Values | None) -> Iterator[str]:
    """What `was` there and is no longer the same: `40 values of column note`, `20 rows`."""
    if was is None:
        return
    if then is None or then.rows < was.rows:
        yield counted(was.rows - (then.rows if then else 0), "row")
    for column, (count, checksum) in was.columns.items() if then else ():
        assert then is not None
        after, other = then.columns.get(column, (0, 0))
        if after < count:
            yield f"{counted(count - after, 'value')} of column {column}"
        elif other != checksum and then.rows == was.rows:
            yield f"values of column {column}"


def _values(connection: psycopg.Connection, schema: str, name: str, columns: list[str]) -> Values:
    """Hashes are added up: the order of rows does not count, and equal rows do not cancel each other."""
    parts = [
        part
        for column in columns
        for part in (
            sql.SQL("count({})").format(sql.Identifier(column)),
            sql.SQL("coalesce(sum(hashtextextended({}::text, 0)), 0)").format(sql.Identifier(column)),
        )
    ]
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join([sql.SQL("count(*)"), *parts]), sql.Identifier(schema, name)
    )
    row = connection.execute(query).fetchone()
    assert row is not None, "an aggregate has a row"
    pairs = zip(row[1::2], row[2::2], strict=True)
    return Values(row[0], {column: (int(n), int(h)) for column, (n, h) in zip(columns, pairs, strict=True)})
