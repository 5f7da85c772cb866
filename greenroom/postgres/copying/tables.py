"""Which tables of the source move by COPY, which columns of theirs, and whether the rows may travel in binary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError

# Built-in types whose binary form says the same on every server: no name, number of a type or locale is in it. Their
# arrays, ranges, enums and the domains over all these too; extensions' types and composites may send numbers of types.
_PLAIN = (
    "bool bytea char name int8 int2 int4 text oid json jsonb float4 float8 numeric uuid varchar bpchar bit varbit "
    "date time timestamp timestamptz timetz interval inet cidr macaddr macaddr8 point lseg path box polygon line "
    "circle tsvector int4range int8range numrange tsrange tstzrange daterange "
    "int4multirange int8multirange nummultirange tsmultirange tstzmultirange datemultirange"
).split()

MOST_TABLES = 2000

_MOVABLE = """
WITH RECURSIVE plain (oid) AS (
    SELECT oid FROM pg_type
    WHERE typtype = 'e' OR typnamespace = 'pg_catalog'::regnamespace AND typname = ANY (%(plain)s)
    UNION
    SELECT t.oid FROM pg_type t JOIN plain ON t.typtype = 'd' AND t.typbasetype = plain.oid
), moving (oid) AS (
    -- an enum's hash is another one in another database, where a row belongs to another partition
    SELECT p.partrelid FROM pg_partitioned_table p JOIN pg_opclass o ON o.oid = ANY (p.partclass)
    JOIN pg_am ON pg_am.oid = o.opcmethod AND amname = 'hash'
    WHERE o.opcname = 'enum_ops' AND o.opcnamespace = 'pg_catalog'::regnamespace
    UNION
    SELECT i.inhrelid FROM pg_inherits i JOIN moving ON i.inhparent = moving.oid
), sized AS (
    SELECT c.oid, n.nspname, c.relname,
           coalesce(pg_relation_size(c.oid), 0) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0) AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_is_in_recovery())
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT (n.nspname = 'cron' AND EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron'))
      AND NOT EXISTS (
          SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND NOT c.oid = ANY (%(excluded)s) AND NOT EXISTS (SELECT FROM moving WHERE moving.oid = c.oid)
)
SELECT s.oid, s.nspname, s.relname, s.bytes, array_agg(a.attname::text ORDER BY a.attnum),
       bool_and(EXISTS (SELECT FROM plain WHERE plain.oid = a.atttypid))
FROM sized s JOIN pg_attribute a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE s.bytes >= %(least)s
GROUP BY s.oid, s.nspname, s.relname, s.bytes
ORDER BY s.bytes DESC, s.oid
LIMIT %(most)s
"""

_NAMED = """
WITH RECURSIVE named (oid) AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname || '.' || c.relname = ANY (%(names)s)
    UNION
    SELECT i.inhrelid FROM pg_inherits i JOIN named ON i.inhparent = named.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
)
SELECT n.nspname, c.relname FROM named JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Table:
    """A table whose rows are moved by themselves; `bytes` are those of heap and TOAST on the source."""

    oid: int
    schema: str
    name: str
    bytes: int
    columns: tuple[str, ...]
    binary: bool

    @property
    def relation(self) -> tuple[str, str]:
        """For pg_dump."""
        return self.schema, self.name

    @property
    def quoted(self) -> str:
        """As SQL takes it."""
        return sql.Identifier(self.schema, self.name).as_string()

    @property
    def column_list(self) -> str:
        """The columns that hold something of their own: what is generated is generated again."""
        return ", ".join(sql.Identifier(column).as_string() for column in self.columns)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def movable(connection: psycopg.Connection, least: int, excluded: Iterable[tuple[str, str]]) -> list[Table]:
    """Tables of at least so many bytes, the biggest first; without those that pg_dump must treat in ways of its own.

    These are: what extensions made, foreign and partitioned tables (which have no rows), tables without columns,
    partitions by the hash of an enum, whose rows are in other partitions there, and names that an argv would not bear
    in the database's encoding; and what a copy has not, which is all in the schema of pg_cron. Of very many tables the
    smallest are left to pg_dump too: it looks up each name that it is to leave out.
    """
    names = list(excluded)
    left_out = connection.execute(
        "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN unnest(%s::text[], %s::text[]) AS x (s, t) ON x.s = n.nspname AND x.t = c.relname",
        [[schema for schema, _ in names], [name for _, name in names]],
    ).fetchall()
    types = [*_PLAIN, *(f"_{name}" for name in _PLAIN)]
    asked = {"plain": types, "excluded": [oid for (oid,) in left_out], "least": least, "most": MOST_TABLES}
    rows = connection.execute(_MOVABLE, asked)
    found = [
        Table(oid, schema, name, size, tuple(columns), binary) for oid, schema, name, size, columns, binary in rows
    ]
    in_utf8 = connection.info.parameter_status("server_encoding") == "UTF8"
    return [table for table in found if in_utf8 or (table.quoted + table.column_list).isascii()]


def without_rows(connection: psycopg.Connection, names: Sequence[str]) -> list[tuple[str, str]]:
    """Schema and name of each table of `names` and of their partitions. Raises GreenroomError when one is not there."""
    if not names:
        return []
    found = connection.execute(_NAMED, {"names": list(names)}).fetchall()
    if missing := set(names) - {f"{schema}.{name}" for schema, name in found}:
        raise GreenroomError(
            f"there is no table {', '.join(sorted(missing))}, whose rows are to be left out.",
            "Correct exclude_data of the target in pyproject.toml.",
        )
    return [(schema, name) for schema, name in found]
