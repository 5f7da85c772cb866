"""The tables' shapes in the catalogue, before the migrations and after, and what these left there."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from greenroom.rehearsal.document import Left, LeftColumn, LeftIndex
from greenroom.rehearsal.observations import Column, Relation, Shape
from greenroom.rehearsal.recorder import label

# An invalid index of a partitioned table (relkind I) is one that waits for its partitions, not one that failed.
_SHAPES = """
SELECT c.oid, n.nspname || '.' || c.relname,
       (SELECT coalesce(json_object_agg(a.attname, json_build_array(
                   a.attnum, format_type(a.atttypid, a.atttypmod), NOT (a.attnotnull OR t.typnotnull),
                   a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL)), '{}')
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT coalesce(json_object_agg(k.conname, ARRAY(
                   SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = ANY (k.conkey))), '{}')
        FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'),
       (SELECT coalesce(json_object_agg(i.relname, pg_relation_filenode(i.oid)), '{}')
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid AND i.relkind = 'i'),
       ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
             WHERE x.indrelid = c.oid AND NOT x.indisvalid AND i.relkind = 'i' ORDER BY 1),
       ARRAY(SELECT a.attname::text FROM pg_constraint k, unnest(k.conkey) WITH ORDINALITY u (attnum, place),
                    pg_attribute a
             WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attrelid = c.oid AND a.attnum = u.attnum
             ORDER BY u.place)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


def read(connection: psycopg.Connection) -> dict[int, tuple[str, Shape]]:
    """Every table's name, as the document has it, and shape, by oid. It waits for nobody's lock."""
    return {
        oid: (label(name), Shape({column: Column(*facts) for column, facts in columns.items()}, *rest))
        for oid, name, columns, *rest in connection.execute(_SHAPES)
    }


def named(shapes: dict[int, tuple[str, Shape]], like: dict[int, tuple[str, Shape]]) -> dict[str, Shape]:
    """By name; a table that is in `like` has the name that it has there."""
    return {like.get(oid, (name,))[0]: shape for oid, (name, shape) in shapes.items()}


def left(before: dict[str, Shape], after: dict[str, Shape], relations: Mapping[str, Relation] | None = None) -> Left:
    """What is new in it, table by table; a column of a partitioned table is not told of its partitions again."""
    pairs = [(table, shape, after[table]) for table, shape in sorted(before.items()) if table in after]
    required = {
        (table, name): LeftColumn(table=table, column=name)
        for table, old, new in pairs
        for name, column in new.columns.items()
        if column.required and _unknown(old, name, column)
    }
    ancestors = {table: relation.ancestors for table, relation in (relations or {}).items()}
    return Left(
        invalid_indexes=[
            LeftIndex(table=table, index=index)
            for table, old, new in pairs
            for index in new.invalid_indexes
            if index not in old.invalid_indexes
        ],
        required_columns=[
            column
            for (table, name), column in required.items()
            if not any((whole, name) in required for whole in ancestors.get(table, ()))
        ],
    )


def _unknown(old: Shape, name: str, column: Column) -> bool:
    """Whether those who know the old shape give the column no value: it was not there, or had one by itself.

    One that has only been renamed was there; and for one that has taken another's name they give a value by that.
    """
    return all(
        known.filled for known_as, known in old.columns.items() if known.number == column.number or known_as == name
    )
