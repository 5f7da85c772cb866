"""`exclude_data`: the tables whose rows are not copied, from patterns to exact names; and the large objects."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import mask_columns
from greenroom.postgres.mask_columns import Table
from greenroom.postgres.mask_rules import REMEDY, similar

LARGE_OBJECTS = "large objects"  # a table of that name is public.large objects


def has_large_objects(connection: psycopg.Connection) -> bool:
    """Whether there are any in the connected database, whoever may read them."""
    return connection.execute("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)").fetchone() == (True,)


def excluded(connection: psycopg.Connection, patterns: Sequence[str], target: str) -> list[str]:
    """Names as `schema.table`, quoted where SQL wants it, sorted; a partitioned table's partitions come with it.

    A pattern is a shell's, `[schema.]table`; without a schema it is for public. LARGE_OBJECTS is none. Raises
    GreenroomError when one matches no table, and when rows that are copied refer to rows that are not: their foreign
    key could not be restored.
    """
    patterns = [pattern for pattern in patterns if pattern != LARGE_OBJECTS]
    if not patterns:
        return []
    known = [table for table in mask_columns.tables(connection) if table.kind in "rp"]
    matched = {pattern: [t for t in known if fnmatchcase(str(t), _full(pattern))] for pattern in patterns}
    if idle := [pattern for pattern, found in matched.items() if not found]:
        _refuse_idle(idle, known, target)
    left_out = _with_partitions(connection, [table.oid for found in matched.values() for table in found])
    _refuse_torn(connection, left_out, known, target)
    return sorted(table.quoted for table in known if table.oid in left_out)


def _full(pattern: str) -> str:
    return pattern if "." in pattern else f"public.{pattern}"


def _refuse_idle(idle: Sequence[str], known: Sequence[Table], target: str) -> None:
    where = f"tool.greenroom.databases.{target}.exclude_data"
    names = [str(table) for table in known]
    wrong = [f"{where}: {pattern} matches no table{similar(_full(pattern), names)}" for pattern in idle]
    raise GreenroomError("; ".join(wrong), REMEDY)


def _with_partitions(connection: psycopg.Connection, oids: Sequence[int]) -> set[int]:
    rows = connection.execute(
        "SELECT tree.relid::oid FROM unnest(%s::oid[]) AS given, pg_partition_tree(given) AS tree", [list(oids)]
    )
    return {*oids, *(oid for (oid,) in rows)}


def _refuse_torn(connection: psycopg.Connection, left_out: set[int], known: Sequence[Table], target: str) -> None:
    """Raises GreenroomError where a table that is copied refers, with at least one row, to one whose rows are not."""
    names = {table.oid: table for table in known}
    torn = [
        (names[child], key, names[parent])
        for child, key, parent, columns in _references_to(connection, left_out)
        if child not in left_out and _refers(connection, names[child], columns)
    ]
    if not torn:
        return
    told = "; ".join(f"{child} refers to {parent} ({key})" for child, key, parent in torn)
    also = ", ".join(f'"{name}"' for name in dict.fromkeys(str(child) for child, _key, _parent in torn))
    raise GreenroomError(
        f"tool.greenroom.databases.{target}.exclude_data leaves out rows that others refer to, so that their foreign "
        f"keys could not be restored: {told}.",
        f"Leave these out too: {also}; or copy the rows that they refer to.",
    )


def _references_to(connection: psycopg.Connection, left_out: set[int]) -> list[tuple[int, str, int, list[str]]]:
    """Foreign keys that hold, to these or to what they are partitions of: child, name, parent, child's columns."""
    return connection.execute(
        """
        SELECT k.conrelid, k.conname, k.confrelid, array_agg(a.attname::text)
        FROM pg_catalog.pg_constraint k
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.convalidated AND k.confrelid IN (
            SELECT given FROM unnest(%(oids)s::oid[]) AS given
            UNION
            SELECT above.relid FROM unnest(%(oids)s::oid[]) AS given, pg_partition_ancestors(given) AS above)
        GROUP BY k.oid, k.conrelid, k.conname, k.confrelid
        ORDER BY k.conrelid::regclass::text, k.conname
        """,
        {"oids": list(left_out)},
    ).fetchall()


def _refers(connection: psycopg.Connection, child: Table, columns: Sequence[str]) -> bool:
    """Whether a row refers to anything: one with a NULL in the key does not."""
    filled = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in columns)
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})")
    row = connection.execute(query.format(sql.Identifier(child.schema, child.name), filled)).fetchone()
    return bool(row and row[0])
