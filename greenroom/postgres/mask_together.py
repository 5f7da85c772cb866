"""Unique indexes over several columns: whether rows of the source show that masks break one.

Only what is certain is told: the first rows are looked at, as the masks would leave them where that takes no salt. What
no row shows may break nevertheless, when the copy's index is built or its rows are masked, which says so then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from greenroom.postgres.mask_kinds import KINDS, SQL

if TYPE_CHECKING:
    from greenroom.postgres.mask_checks import Masked

MOST_ROWS, MOST_PARTS = 20_000, 16
_UNSALTED = ("zero", "empty", "date", "null")  # the same on the source as on the copy
_INDEXES = """
WITH RECURSIVE part AS (
    SELECT oid AS root, oid FROM unnest(%(tables)s::oid[]) AS oid
    UNION SELECT part.root, i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid)
SELECT part.root, part.oid, i.indexrelid::regclass::text, n.nspname, c.relname,
       ARRAY(SELECT pg_get_indexdef(i.indexrelid, at, false) FROM generate_series(1, i.indnkeyatts) AS at),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])),
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum IN (
                 SELECT m[1]::int2 FROM regexp_matches(concat(i.indexprs, i.indpred), ':varattno ([0-9]+)', 'g') AS m)),
       pg_get_expr(i.indpred, c.oid),
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)  -- from 15 on
FROM part JOIN pg_catalog.pg_index i ON i.indrelid = part.oid JOIN pg_catalog.pg_class c ON c.oid = part.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND i.indisvalid AND i.indnkeyatts > 1 AND c.relkind = 'r'
  AND NOT format('%%I.%%I', n.nspname, c.relname) = ANY (%(without)s)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')
ORDER BY part.root, c.oid <> part.root, 2
"""


@dataclass(frozen=True)
class Together:
    """One such index of a table or of a part of it.

    `plain` are the columns that are keys themselves, `inner` those in expressions and condition.
    """

    name: str
    schema: str
    table: str
    keys: list[str]
    plain: list[str]
    inner: list[str]
    condition: str | None
    nulls_meet: bool


def broken(
    connection: psycopg.Connection, found: Sequence[Masked], without: Sequence[str]
) -> Iterator[tuple[Masked, str]]:
    """Masks with the reason; tables of `without`, as SQL names them, come without rows."""
    by_table: dict[int, dict[str, Masked]] = {}
    for masked in found:
        if masked.rule.changes:
            by_table.setdefault(masked.table.oid, {})[masked.column.name] = masked
    with connection.transaction():
        connection.execute("SET LOCAL search_path = ''; SET LOCAL transaction_read_only = on")
        asked = {"tables": list(by_table), "without": list(without)}
        tried: Counter[tuple[int, str]] = Counter()  # the same index of parts, which may be many
        for table, part, *told in connection.execute(_INDEXES, asked).fetchall():
            index = Together(*told)
            keys, masks = ", ".join(index.keys), {**by_table[table], **by_table.get(part, {})}
            lossy = _lossy(index, masks) if tried[table, keys] < MOST_PARTS else []
            tried[table, keys] += 1
            if lossy and _breaks(connection, index, masks):
                tried[table, keys] = MOST_PARTS
                why = f"makes rows the same to {index.name}, which wants them unique: {keys}"
                yield from ((one, f"{one.rule.kind} {why}") for one in lossy)


def _lossy(index: Together, masks: Mapping[str, Masked]) -> list[Masked]:
    """The masks that make few values of many; none, where it depends on others what rows become."""
    mine = [masks[name] for name in dict.fromkeys([*index.plain, *index.inner]) if name in masks]
    inner = [one.rule.kind for one in mine if one.column.name in index.inner]
    if any(one.rule.kind == SQL for one in mine) or not set(inner) <= set(_UNSALTED):
        return []
    return [one for one in mine if _replaced(one)]


def _replaced(masked: Masked) -> sql.Composable | None:
    """What a value is counted as; None: as itself, since equal ones stay equal."""
    if masked.rule.kind in _UNSALTED:
        return masked.value
    name = sql.Identifier(masked.column.name)
    few = KINDS[masked.rule.kind].most
    return sql.SQL("CASE WHEN {} IS NOT NULL THEN true END").format(name) if few else None


def _breaks(connection: psycopg.Connection, index: Together, masks: Mapping[str, Masked]) -> bool:
    """Whether more of the first rows have the same keys than there are values to tell them apart."""
    columns = list(dict.fromkeys([*index.plain, *index.inner]))
    replaced = {name: masks[name] for name in columns if name in masks and _replaced(masks[name])}
    shown = (
        sql.SQL("{} AS {}").format(_replaced(replaced[name]) if name in replaced else quoted, quoted)
        for name, quoted in ((name, sql.Identifier(name)) for name in columns)
    )
    keys = [sql.SQL(key) for key in index.keys]
    filled = [] if index.nulls_meet else [sql.SQL("({}) IS NOT NULL").format(key) for key in keys]
    query = sql.SQL(
        "SELECT EXISTS (SELECT FROM (SELECT {} FROM ONLY {} LIMIT {}) AS masked WHERE {} GROUP BY {} "
        "HAVING count(*) > {})"
    ).format(
        sql.SQL(", ").join(shown),
        sql.Identifier(index.schema, index.table),
        sql.Literal(MOST_ROWS),
        sql.SQL(" AND ").join([sql.SQL(index.condition or "true"), *filled]),
        sql.SQL(", ").join(keys),
        sql.Literal(prod(KINDS[one.rule.kind].most or 1 for one in replaced.values())),
    )
    try:
        with connection.transaction():
            return connection.execute(query).fetchone() == (True,)
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error:
        return False
