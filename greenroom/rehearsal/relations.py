"""The tables of a copy as they are before the migration: rows, size, indexes; and which of them are probed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from greenroom.rehearsal.observations import Relation
from greenroom.rehearsal.probes import Table
from greenroom.rehearsal.recorder import label

SESSIONS_A_TABLE = 3  # a reader, a writer and a row probe
SESSIONS_SPARE = 10  # for the app, the observer, and whoever else uses the server
COUNTED_PAGES = 200  # of a table that was never analysed: their rows stand for those of the rest
ROWS_A_PAGE = 60  # of one that may not be read either: a guess, for it is not empty

# a partitioned table has what its partitions have
_TABLES = """
SELECT n.nspname, c.relname, c.relkind, c.reltuples::bigint,
       coalesce(p.size, pg_total_relation_size(c.oid)),
       coalesce(pg_relation_size(c.oid) / current_setting('block_size')::int, 0),
       ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
             WHERE x.indrelid = c.oid ORDER BY 1),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
       AND has_table_privilege(c.oid, 'UPDATE'),
       p.names, ARRAY(SELECT an.nspname || '.' || a.relname
                      FROM pg_partition_ancestors(c.oid) WITH ORDINALITY u (oid, place) JOIN pg_class a ON a.oid = u.oid
                           JOIN pg_namespace an ON an.oid = a.relnamespace
                      WHERE c.relispartition AND a.oid <> c.oid ORDER BY place DESC)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN LATERAL (SELECT sum(pg_total_relation_size(l.oid))::bigint,
                               array_agg(ln.nspname || '.' || l.relname ORDER BY t.level, ln.nspname, l.relname)
                        FROM pg_partition_tree(c.oid) t JOIN pg_class l ON l.oid = t.relid
                             JOIN pg_namespace ln ON ln.oid = l.relnamespace
                        WHERE t.isleaf AND l.relkind = 'r')
               AS p (size, names) ON c.relkind = 'p'
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 5 DESC, 1, 2
"""


@dataclass(frozen=True)
class Found:
    schema: str
    name: str
    kind: str
    rows: int
    size_bytes: int
    pages: int
    indexes: list[str]
    reachable: bool  # a copy by TEMPLATE has tables that its maker may not touch
    partitions: list[str] | None = None  # with their schemas, as ancestors
    ancestors: list[str] | None = None

    @property
    def label(self) -> str:
        """As the document names it."""
        return label(f"{self.schema}.{self.name}")


def read(connection: psycopg.Connection) -> list[Found]:
    """Every table of the database, the largest first.

    `rows` is the planner's estimate, true after ANALYZE; of a table that was never analysed, or was empty then and is
    not any more, it is ours, from the rows of its first pages, or its last.
    """
    found = [_estimated(connection, Found(*row)) for row in connection.execute(_TABLES).fetchall()]
    rows = {f"{f.schema}.{f.name}": f.rows for f in found}
    return [f if f.kind != "p" else replace(f, rows=sum(rows[name] for name in f.partitions or ())) for f in found]


def _estimated(connection: psycopg.Connection, table: Found) -> Found:
    """With a number of rows where the server has none: it says -1, or 0 of pages that have come since."""
    if table.rows > 0 or not table.pages:
        return replace(table, rows=max(0, table.rows))
    if not table.reachable:
        return replace(table, rows=table.pages * ROWS_A_PAGE)
    pages = min(table.pages, COUNTED_PAGES)
    counted = (_counted(connection, table, first, pages) for first in (0, table.pages - pages))
    return replace(table, rows=next(filter(None, counted), 0) * table.pages // pages)


def _counted(connection: psycopg.Connection, table: Found, first: int, pages: int) -> int:
    """Rows on these pages; no others are read."""
    query = sql.SQL("SELECT count(*) FROM ONLY {} WHERE ctid >= {}::tid AND ctid < {}::tid")
    name = sql.Identifier(table.schema, table.name)
    row = connection.execute(query.format(name, f"({first},0)", f"({first + pages},0)")).fetchone()
    return row[0] if row else 0


def relations(found: list[Found]) -> dict[str, Relation]:
    """By label, as the judgement wants them."""
    return {
        f.label: Relation(
            rows=f.rows,
            size_bytes=f.size_bytes,
            indexes=f.indexes,
            partitions=tuple(map(label, f.partitions or ())),
            ancestors=tuple(map(label, f.ancestors or ())),
        )
        for f in found
    }


def probed(connection: psycopg.Connection, found: list[Found], planned: list[str], limit: int) -> list[Table]:
    """The tables to probe: those that the plan names, then the largest.

    As many as `limit` and the server's free sessions allow.
    """
    names = {label(table) for table in planned}
    tables = [f for f in found if f.kind in ("r", "p") and f.reachable]
    ordered = [f for f in tables if f.label in names] + [f for f in tables if f.label not in names]
    allowed = max(0, min(limit, (_free_sessions(connection) - SESSIONS_SPARE) // SESSIONS_A_TABLE))
    return [Table(f.schema, f.name, _sample(connection, f)) for f in ordered[:allowed]]


def _free_sessions(connection: psycopg.Connection) -> int:
    """What the server, the database and the role leave, whichever is least; -1 is no limit of theirs."""
    row = connection.execute(
        """
        WITH used AS (
            SELECT count(*) AS server, count(*) FILTER (WHERE usename = current_user) AS role,
                   count(*) FILTER (WHERE datname = current_database()) AS database
            FROM pg_stat_activity WHERE backend_type = 'client backend'
        )
        SELECT least(
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true), '0')::int - used.server,
            nullif(r.rolconnlimit, -1) - used.role,
            nullif(d.datconnlimit, -1) - used.database)
        FROM used, pg_roles r, pg_database d
        WHERE r.rolname = current_user AND d.datname = current_database()
        """
    ).fetchone()
    return int(row[0]) if row else 0


def _sample(connection: psycopg.Connection, table: Found) -> tuple[str, ...]:
    """The first row, one in the middle and one of the last page, by ctid: where a backfill begins and ends."""
    if table.kind != "r" or not table.rows:
        return ()
    name = sql.Identifier(table.schema, table.name)
    query = sql.SQL("SELECT ctid::text FROM ONLY {} WHERE ctid >= {}::tid LIMIT 1")  # no parameters: names may hold a %
    pages = (0, table.pages // 2, max(0, table.pages - 1))
    rows = [connection.execute(query.format(name, f"({page},0)")).fetchone() for page in pages]
    return tuple(dict.fromkeys(row[0] for row in rows if row))
