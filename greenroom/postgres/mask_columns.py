"""What the catalogues say of the tables and columns that rules name: read with an empty search_path, names in full."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import psycopg

from greenroom.postgres import mask_uniqueness
from greenroom.postgres.mask_kinds import Shape
from greenroom.postgres.mask_uniqueness import Apart

_FAMILIES = {
    "text": "text varchar bpchar name citext",
    "number": "int2 int4 int8 numeric float4 float8 money",
    "date": "date timestamp timestamptz",
    "uuid": "uuid",
    "inet": "inet",
    "bytea": "bytea",
    "json": "json jsonb",
    "hstore": "hstore",
}
FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}
# pg_type.typcategory of what cannot hold words: boolean, date, enum, geometry, network, number, interval, bits
_WORDLESS_CATEGORIES = set("BDEGINTV")
_WORDLESS = {"uuid", "pg_lsn", "xid", "xid8", "tid", "macaddr", "macaddr8"}


@dataclass(frozen=True)
class Table:
    """A relation that holds rows, or shows them. `root` is the topmost table that it is a part of: itself, mostly.

    `quoted` is its name in full, with quotes where SQL wants them.
    """

    oid: int
    schema: str
    name: str
    kind: str
    root: int
    quoted: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Column:
    """A column, and all that decides whether a value of it can be replaced. `apart` are indexes of its table."""

    table: int
    name: str
    number: int
    shape: Shape
    wordless: bool
    not_null: bool
    generated: bool
    always_identity: bool
    inherited: bool
    partition_key: bool
    apart: tuple[Apart, ...] = ()


@dataclass(frozen=True)
class Reference:
    """One pair of columns of a foreign key, by table and number."""

    name: str
    child: tuple[int, int]
    parent: tuple[int, int]


def tables(connection: psycopg.Connection) -> list[Table]:
    """All tables, views and the like, but the system's."""
    rows = connection.execute(
        """
        SELECT c.oid, n.nspname, c.relname, c.relkind::text,
               coalesce((WITH RECURSIVE up AS (
                            SELECT i.inhparent, 1 AS depth FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid
                            UNION ALL
                            SELECT i.inhparent, depth + 1 FROM up
                            JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.inhparent)
                         SELECT inhparent FROM up ORDER BY depth DESC, inhparent LIMIT 1), c.oid),
               format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        ORDER BY n.nspname, c.relname
        """
    )
    return [Table(*row) for row in rows]


def family_of(connection: psycopg.Connection, oids: Iterable[int]) -> list[Table]:
    """These tables and all that inherit from them, partitions too."""
    rows = connection.execute(
        """
        WITH RECURSIVE down AS (
            SELECT unnest(%s::oid[]) AS oid
            UNION
            SELECT i.inhrelid FROM down JOIN pg_catalog.pg_inherits i ON i.inhparent = down.oid)
        SELECT oid FROM down
        """,
        [list(oids)],
    )
    wanted = {oid for (oid,) in rows}
    return [table for table in tables(connection) if table.oid in wanted]


def above(connection: psycopg.Connection, oids: Iterable[int]) -> dict[int, set[int]]:
    """All that each of these tables inherits from, directly or through others; what inherits nothing is left out."""
    rows = connection.execute(
        """
        WITH RECURSIVE up AS (
            SELECT inhrelid AS oid, inhparent AS parent FROM pg_catalog.pg_inherits WHERE inhrelid = ANY (%s::oid[])
            UNION
            SELECT up.oid, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.parent)
        SELECT oid, array_agg(parent) FROM up GROUP BY oid
        """,
        [list(oids)],
    )
    return {oid: set(parents) for oid, parents in rows}


def columns(connection: psycopg.Connection, oids: Iterable[int]) -> list[Column]:
    """All columns of these tables, in their order; domains and arrays are looked through, for words ranges too."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = ''")
        rows = connection.execute(_COLUMNS, [list(oids)]).fetchall()
        apart = mask_uniqueness.indexes(connection, oids)
    return [replace(_column(*row), apart=tuple(apart.get(row[0], ()))) for row in rows]


def references(connection: psycopg.Connection) -> list[Reference]:
    """All foreign keys that hold (NOT VALID ones do not stop a restore), a pair of columns each."""
    rows = connection.execute(
        """
        SELECT k.conname, k.conrelid, child, k.confrelid, parent
        FROM pg_catalog.pg_constraint k, unnest(k.conkey, k.confkey) AS pair (child, parent)
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.convalidated
        ORDER BY k.conrelid, k.conname
        """
    )
    return [Reference(name, (child, a), (parent, b)) for name, child, a, parent, b in rows]


_COLUMNS = """
SELECT a.attrelid, a.attname, a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod),
       base.typname, base.core, base.core_category, base.typmod, base.is_array,
       (SELECT format('%%s.%%I', l.collnamespace::regnamespace, l.collname) FROM pg_catalog.pg_collation l
        WHERE l.oid = a.attcollation AND NOT l.collisdeterministic),
       a.attnotnull OR base.not_null, a.attgenerated <> '', a.attidentity = 'a', a.attinhcount > 0,
       c.relkind = 'p' AND EXISTS (  -- a column of the key, or of an expression in it, hangs on its whole table
           SELECT FROM pg_catalog.pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = a.attnum
             AND d.refclassid = d.classid AND d.refobjid = c.oid AND d.refobjsubid = 0 AND d.deptype = 'i')
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
CROSS JOIN LATERAL (
    WITH RECURSIVE under AS (
        SELECT a.atttypid AS oid, a.atttypmod AS typmod, 0 AS depth,
               false AS is_array, false AS not_null, false AS bound
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE coalesce(r.rngsubtype, t.typelem) END,
               CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE -1 END,
               under.depth + 1,
               under.is_array OR t.typtype <> 'd',
               under.not_null OR t.typnotnull AND NOT under.is_array,
               under.bound OR r.rngtypid IS NOT NULL
        FROM under JOIN pg_catalog.pg_type t ON t.oid = under.oid
        LEFT JOIN pg_catalog.pg_range r ON t.oid IN (r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid)  -- 14: multi
        WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0 OR r.rngtypid IS NOT NULL)
    SELECT t.typname, under.typmod, under.is_array, under.not_null,  -- a range is a type, its bounds are what it holds
           first_value(t.typname) OVER deepest AS core, first_value(t.typcategory::text) OVER deepest AS core_category
    FROM under JOIN pg_catalog.pg_type t ON t.oid = under.oid
    WINDOW deepest AS (ORDER BY under.depth DESC) ORDER BY under.bound, under.depth DESC LIMIT 1) AS base
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""


def _column(
    table: int,
    name: str,
    number: int,
    full: str,
    base: str,
    core: str,
    category: str,
    typmod: int,
    is_array: bool,
    collation: str | None,
    *flags: object,
) -> Column:
    family = "array" if is_array else FAMILY.get(base, "other")
    length = typmod - 4 if base in ("varchar", "bpchar") and typmod > 4 else 63 if base == "name" else None
    shape = Shape(family, full, base, None if is_array else length, collation)
    wordless = category in _WORDLESS_CATEGORIES or core in _WORDLESS
    return Column(table, name, number, shape, wordless, *flags)  # type: ignore[arg-type]
