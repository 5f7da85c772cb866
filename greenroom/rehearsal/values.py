"""What tables hold, by count and checksum: enough to say what was lost, without any value leaving the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from greenroom.rehearsal.recorder import label
from greenroom.rehearsal.report.words import counted

EVERY = sql.SQL("")
LARGEST = 4 << 30  # bytes: a larger table is not read through

_TABLES = """
SELECT c.oid::int8, n.nspname, c.relname,
       pg_table_size(c.oid) <= %s AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       ARRAY(SELECT a.attnum::int FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

_KEY = """
SELECT n.nspname, c.relname, a.attname
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
WHERE x.indrelid = %s AND x.indisprimary AND x.indnkeyatts = 1
      AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
"""

Content = tuple[int, int]  # how many are not null, and the sum of their hashes


@dataclass(frozen=True)
class Values:
    """One table: its rows, and of each column what it holds and its number, which a new name does not change."""

    rows: int
    columns: dict[str, Content] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    oid: int = 0
    newest: int | None = None  # the largest key, where that is one number

    def like(self, name: str, number: int) -> Content | None:
        """What the column of that number holds, or else the one of that name."""
        same = next((column for column, known in self.numbers.items() if known == number), name)
        return self.columns.get(same)


State = Mapping[str, Values]


def read(connection: psycopg.Connection, tables: set[str]) -> dict[str, Values]:
    """Of these tables, as the document names them, that are there and not too large; each is read once."""
    found = {}
    for oid, schema, name, readable, columns, numbers in connection.execute(_TABLES, [LARGEST]).fetchall():
        if label(f"{schema}.{name}") in tables and readable:
            place = sql.Identifier(schema, name)
            rows, contents = _contents(connection, place, columns)
            held, known = dict(zip(columns, contents, strict=True)), dict(zip(columns, numbers, strict=True))
            found[label(f"{schema}.{name}")] = Values(rows, held, known, oid, _newest(connection, oid, place))
    return found


def without_new_rows(connection: psycopg.Connection, state: State, before: State) -> dict[str, Values]:
    """`state`, which is the database's, but of tables with more rows than `before` those that were there then."""
    found = dict(state)
    for name, was in before.items():
        then = same_table(state, name, was.oid)
        if then is None or then.rows <= was.rows or was.newest is None:
            continue
        row = connection.execute(_KEY, [then.oid]).fetchone()
        if row:
            schema, table, key = row
            old = sql.SQL(" WHERE {} <= {}").format(sql.Identifier(key), was.newest)
            rows, contents = _contents(connection, sql.Identifier(schema, table), list(then.columns), old)
            name = next(known for known, values in state.items() if values is then)
            found[name] = replace(then, rows=rows, columns=dict(zip(then.columns, contents, strict=True)))
    return found


def passed_over(connection: psycopg.Connection, tables: set[str]) -> list[str]:
    """Those of them that `read` leaves out: too large, or not to be read by this role."""
    rows = connection.execute(_TABLES, [LARGEST]).fetchall()
    return sorted({label(f"{schema}.{name}") for _, schema, name, readable, *_ in rows if not readable} & tables)


def same_table(state: State, name: str, oid: int) -> Values | None:
    """The table of that oid, whatever it is called there, or else the one of that name."""
    return next((values for values in state.values() if values.oid == oid), state.get(name))


@dataclass(frozen=True)
class Lost:
    """What going back costs a table. `gone` has no place there any more; `unfilled` neither, and holds nothing yet;
    `changed` was there before the migration, and is not as it was."""

    gone: tuple[str, ...] = ()
    unfilled: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def lost(before: State, after: State, back: State) -> dict[str, Lost]:
    """By table: what the new schema (`after`) holds and the old cannot, and what of `before` is not in `back`."""
    found = {}
    for name, now in after.items():
        gone, unfilled = _gone(now, same_table(back, name, now.oid))
        if gone or unfilled:
            found[name] = Lost(gone, unfilled)
    for name, was in before.items():
        if changed := tuple(_changed(was, same_table(back, name, was.oid))):
            found[name] = replace(found.get(name, Lost()), changed=changed)
    return dict(sorted(found.items()))


def differing(one: State, other: State) -> dict[str, str]:
    """What both do not hold alike: by `table` or `table.column`, in words."""
    found = {}
    for table in sorted(one.keys() & other.keys()):
        rows, others = one[table].rows, other[table].rows
        if rows != others:
            found[table] = f"{table} has {counted(others, 'row')} and not {rows:,}"
        for column in sorted(one[table].columns.keys() & other[table].columns.keys()) if rows == others else ():
            if one[table].columns[column] != other[table].columns[column]:
                found[f"{table}.{column}"] = f"column {column} of {table} holds other values"
    return found


def _gone(now: Values, then: Values | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`column note (1,000 values)`, `the table (20 rows)`; and those of which nothing is held yet."""
    if then is None:
        words = ("the table",) if not now.rows else (f"the table ({counted(now.rows, 'row')})",)
        return (words, ()) if now.rows else ((), words)
    going = [name for name in now.columns if then.like(name, now.numbers[name]) is None]
    held = tuple(f"column {n} ({counted(now.columns[n][0], 'value')})" for n in going if now.columns[n][0])
    return held, tuple(f"column {name}" for name in going if not now.columns[name][0])


def _changed(was: Values, then: Values | None) -> Iterator[str]:
    """`40 values of column note`, `20 rows`."""
    if then is None or then.rows < was.rows:
        yield counted(was.rows - (then.rows if then else 0), "row")
    for column, (count, checksum) in was.columns.items() if then else ():
        assert then is not None
        after, other = then.like(column, was.numbers[column]) or (0, 0)
        if after < count:
            yield f"{counted(count - after, 'value')} of column {column}"
        elif other != checksum and then.rows == was.rows:
            yield f"values of column {column}"


def _newest(connection: psycopg.Connection, oid: int, place: sql.Identifier) -> int | None:
    row = connection.execute(_KEY, [oid]).fetchone()
    if row is None:
        return None
    most = connection.execute(sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(row[2]), place)).fetchone()
    return most[0] if most else None


def _contents(
    connection: psycopg.Connection, place: sql.Identifier, columns: list[str], only: sql.Composable = EVERY
) -> tuple[int, list[Content]]:
    """Hashes are added up: the order of rows does not count, and equal rows do not cancel each other."""
    parts = [
        part
        for column in columns
        for part in (
            sql.SQL("count({})").format(sql.Identifier(column)),
            sql.SQL("coalesce(sum(hashtextextended({}::text, 0)), 0)").format(sql.Identifier(column)),
        )
    ]
    query = sql.SQL("SELECT {} FROM {}{}").format(sql.SQL(", ").join([sql.SQL("count(*)"), *parts]), place, only)
    row = connection.execute(query).fetchone()
    assert row is not None, "an aggregate has a row"
    pairs = zip(row[1::2], row[2::2], strict=True)
    return row[0], [(int(count), int(checksum)) for count, checksum in pairs]
