"""What the copy's catalogue says at one moment: what views read, foreign keys without an index, dated types."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from greenroom.rehearsal.observations import DatedColumn
from greenroom.rehearsal.recorder import label

_OWN = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"

# types that are changed later, at the price of a rewrite
_DATED = f"""
SELECT c.oid, a.attnum, n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod), p.is_key
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
     LATERAL (SELECT EXISTS (SELECT FROM pg_index i
                             WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))) p (is_key)
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped AND {_OWN}
      AND (a.atttypid IN ('json'::regtype, 'bpchar'::regtype, 'timestamp'::regtype)
           OR a.atttypid IN ('int2'::regtype, 'int4'::regtype) AND p.is_key)
ORDER BY 1, 2
"""

# relations and columns that a view reads, also through other views
_VIEWS = f"""
WITH RECURSIVE direct AS (
    SELECT DISTINCT v.oid AS view, d.refobjid AS used, d.refobjsubid AS attnum
    FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace JOIN pg_rewrite r ON r.ev_class = v.oid
         JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
              AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
    WHERE v.relkind IN ('v', 'm') AND {_OWN}
), uses AS (
    SELECT view, used, attnum FROM direct
    UNION SELECT u.view, d.used, d.attnum FROM uses u JOIN direct d ON d.view = u.used
)
SELECT v.oid, n.nspname || '.' || v.relname,
       array_agg(ARRAY[tn.nspname || '.' || t.relname, coalesce(a.attname, '')]) FILTER (WHERE t.oid IS NOT NULL)
FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace
     LEFT JOIN (uses u JOIN pg_class t ON t.oid = u.used JOIN pg_namespace tn ON tn.oid = t.relnamespace)
          ON u.view = v.oid
     LEFT JOIN pg_attribute a ON a.attrelid = u.used AND a.attnum = u.attnum AND u.attnum > 0
WHERE v.relkind IN ('v', 'm') AND {_OWN}
GROUP BY 1, 2
"""

# the index may have the columns in any order, and more behind them
_UNINDEXED = f"""
SELECT k.oid, c.oid, ARRAY[n.nspname, c.relname]::text[], ARRAY[pn.nspname, p.relname]::text[],
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {_OWN} AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
    AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
ORDER BY 3, 1
"""


@dataclass(frozen=True)
class View:
    """A view or materialized view; `reads` are tables (and views) with the columns that it reads of them."""

    name: str
    reads: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Key:
    """A foreign key without an index; tables as schema and name."""

    oid: int  # of its table
    table: tuple[str, str]
    parent: tuple[str, str]
    columns: tuple[str, ...]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    """By oid: names change under a migration, oids do not."""

    views: dict[int, View]
    unindexed: dict[int, Key]
    dated: dict[tuple[int, int], DatedColumn]


def read(connection: psycopg.Connection) -> Catalog:
    """The catalogue as it is now."""
    views = {
        oid: View(label(name), frozenset((label(table), column) for table, column in reads or ()))
        for oid, name, reads in connection.execute(_VIEWS)
    }
    keys = {
        oid: Key(table, tuple(name), tuple(parent), tuple(columns), tuple(parents))
        for oid, table, name, parent, columns, parents in connection.execute(_UNINDEXED)
    }
    dated = {
        (oid, number): DatedColumn(label(table), name, kind, is_key)
        for oid, number, table, name, kind, is_key in connection.execute(_DATED)
    }
    return Catalog(views, keys, dated)
