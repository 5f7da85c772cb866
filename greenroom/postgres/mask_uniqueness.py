"""Indexes that want values apart: unique ones and those of exclusion constraints, over columns or expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from greenroom.postgres.mask_kinds import Kind, Shape

# which columns an expression is over stands in its tree alone: pg_depend has those of the condition too
_APART = """
WITH RECURSIVE part AS (
    SELECT oid AS root, oid FROM unnest(%s::oid[]) AS oid
    UNION SELECT part.root, i.inhrelid FROM part JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid),
used AS (
    SELECT part.root, i.*,
           CASE WHEN i.indkey[0] <> 0 THEN ARRAY[i.indkey[0]] ELSE ARRAY(
               SELECT m[1]::int2 FROM regexp_matches(i.indexprs::text, ':varattno ([0-9]+)', 'g') AS m) END AS of_key,
           ARRAY(
               SELECT m[1]::int2 FROM regexp_matches(i.indpred::text, ':varattno ([0-9]+)', 'g') AS m) AS of_condition
    FROM part JOIN pg_catalog.pg_index i ON i.indrelid = part.oid WHERE i.indisunique OR i.indisexclusion)
SELECT root, indexrelid::regclass::text,
       CASE indnkeyatts WHEN 1 THEN pg_get_indexdef(indexrelid, 1, false) END,
       ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = indrelid AND attnum = ANY (of_key)),
       pg_get_expr(indpred, indrelid),
       ARRAY(
           SELECT attname::text FROM pg_catalog.pg_attribute WHERE attrelid = indrelid AND attnum = ANY (of_condition)),
       coalesce((to_jsonb(used) ->> 'indnullsnotdistinct')::bool, false)  -- from 15 on
FROM used ORDER BY root, indrelid <> root, 2
"""
# the condition `deleted_at IS NULL`, and the kind that makes it true for every row; sql: is not held against it
_BRINGS_IN = {
    "null": r"\({name} IS NULL\)",
    "zero": r"\({name} = \(?0\)?(::[\w ]+)?\)",
    "empty": r"\(\(?{name}\)?(::[\w ]+)? = ''(::[\w ]+)?\)",
}


@dataclass(frozen=True)
class Apart:
    """One such index of a table or of a part of it. `key` is its only one, None where it has several.

    `columns` are those that the key is made of, `condition` says which rows are in it, `nulls_meet`: NULLs are equal.
    """

    name: str
    key: str | None
    columns: tuple[str, ...]
    condition: str | None
    condition_columns: tuple[str, ...]
    nulls_meet: bool


def indexes(connection: psycopg.Connection, oids: Iterable[int]) -> dict[int, list[Apart]]:
    """By table, its own before those of its parts; names in full, where the search_path is empty."""
    found: dict[int, list[Apart]] = {}
    for table, name, key, of_key, condition, of_condition, nulls_meet in connection.execute(_APART, [list(oids)]):
        apart = Apart(name, key, tuple(of_key), condition, tuple(of_condition), nulls_meet)
        found.setdefault(table, []).append(apart)
    return found


def refused(kind: Kind, column: str, shape: Shape, apart: Iterable[Apart]) -> str | None:
    """Why values of the kind cannot be in an index; None where they can, or where other columns decide it too."""
    for index in apart:
        if index.key is not None and index.columns == (column,):
            if not kind.keeps_apart(shape):
                return f"{kind.name} makes the same of different values, and {index.name} wants them unique"
            if kind.name == "null" and (index.nulls_meet or "COALESCE(" in index.key):
                return f"null makes all values the same to {index.name}, which wants them unique"
        elif kind.name in _BRINGS_IN and index.condition_columns == (column,):
            made = _BRINGS_IN[kind.name].format(name=f'"?{re.escape(column)}"?')
            if re.fullmatch(made, index.condition or ""):
                wanted = f"which wants them unique where {index.condition}"
                fits = "; should the rows be unique there, write sql:NULL" if kind.name == "null" else ""
                return f"{kind.name} brings every row under {index.name}, {wanted}{fits}"
    return None
