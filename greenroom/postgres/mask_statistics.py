"""What the planner knows of masked relations that came with their statistics: these hold the old values.

ANALYZE replaces them, but not of a relation without rows, nor of a column that nobody wants analysed. So they are
forgotten first, where the role may: as a superuser, or from PostgreSQL 18 on as the owner.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

CLEARING = 180000
_OF_COLUMNS = """
DELETE FROM pg_catalog.pg_statistic WHERE starelid IN (
    SELECT unnest(%(oids)s::oid[])
    UNION SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = ANY (%(oids)s::oid[]))
"""
_OF_GROUPS = """
DELETE FROM pg_catalog.pg_statistic_ext_data d USING pg_catalog.pg_statistic_ext e
WHERE e.oid = d.stxoid AND e.stxrelid = ANY (%(oids)s::oid[])
"""
_CLEAR = """
SELECT pg_clear_attribute_stats(s.schemaname::text, s.tablename::text, s.attname::text, s.inherited)
FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE coalesce(i.indrelid, c.oid) = ANY (%(oids)s::oid[])
"""
_LEFT = """
SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(oids)s::oid[]) AND (EXISTS (
    SELECT FROM pg_catalog.pg_stats s LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attname = s.attname
    WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND (c.reltuples <= 0 OR a.attstattarget = 0)
) OR c.reltuples <= 0 AND (n.nspname, c.relname) IN (
    SELECT schemaname, tablename FROM pg_catalog.pg_stats_ext WHERE most_common_vals IS NOT NULL
    UNION ALL SELECT schemaname, tablename FROM pg_catalog.pg_stats_ext_exprs WHERE null_frac IS NOT NULL))
ORDER BY 1
"""


def known(connection: psycopg.Connection, oids: Sequence[int]) -> set[int]:
    """Those of these relations that have been analysed."""
    rows = connection.execute(
        """
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname WHERE c.oid = ANY (%s::oid[])
        """,
        [list(oids)],
    )
    return {oid for (oid,) in rows}


def forget(connection: psycopg.Connection, oids: Sequence[int]) -> None:
    """All that is known of these relations and of their indexes; without the right to, as it stands."""
    try:
        with connection.transaction():
            connection.execute(_OF_COLUMNS, {"oids": list(oids)})
            connection.execute(_OF_GROUPS, {"oids": list(oids)})
    except psycopg.errors.InsufficientPrivilege:
        if connection.info.server_version >= CLEARING:
            connection.execute(_CLEAR, {"oids": list(oids)})


def left(connection: psycopg.Connection, oids: Sequence[int]) -> list[str]:
    """A note on those of which old values are still known after ANALYZE."""
    names = [name for (name,) in connection.execute(_LEFT, {"oids": list(oids)})]
    return [f"the planner's statistics still hold values of before: {', '.join(names)}"] if names else []
