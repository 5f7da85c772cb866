"""Materialised views that are filled already when their tables are masked, as on a copy that came whole.

They hold the old values, so all of them are emptied first, and only then filled anew where their query works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError

CLEARING = 180000  # from here on an owner may have the planner forget what it knows of a table
# by views, and views of views; what calls a function of the database's own may read anything
_SHOWING = """
WITH RECURSIVE queries AS (
    SELECT r.ev_class, d.refclassid, d.refobjid FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_type = '1' AND d.refobjid <> r.ev_class),
showing AS (
    SELECT unnest(%s::oid[]) AS oid
    UNION SELECT ev_class FROM queries WHERE refclassid = 'pg_catalog.pg_proc'::regclass AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend e
        WHERE e.classid = refclassid AND e.objid = refobjid AND e.deptype = 'e')
    UNION SELECT q.ev_class FROM showing s
    JOIN queries q ON q.refclassid = 'pg_catalog.pg_class'::regclass AND q.refobjid = s.oid)
SELECT c.oid, n.nspname, c.relname FROM showing JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True)
class _View:
    oid: int
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def renew(connection: psycopg.Connection, masked: Iterable[int]) -> list[str]:
    """Empty and fill what shows these tables; returns notes. Raises GreenroomError where one cannot be emptied.

    One whose query fails stays empty. Until the last is filled none holds an old value, whatever interrupts it.
    """
    views = [_View(*row) for row in connection.execute(_SHOWING, [list(masked)])]
    for view in views:
        _empty(connection, view)
    left, before = views, len(views) + 1
    while left and len(left) < before:  # one that shows another waits for it
        before = len(left)
        left = [view for view in left if not _filled(connection, view)]
    kept = [view for view in views if not _forgotten(connection, view)]
    return [
        *([f"filled anew from the masked rows: {_named(set(views) - set(left))}"] if len(left) < len(views) else []),
        *([f"emptied: {_named(left)}; REFRESH MATERIALIZED VIEW fails on the masked copy"] if left else []),
        *([f"the planner's statistics still hold values of before: {_named(kept)}"] if kept else []),
    ]


def _empty(connection: psycopg.Connection, view: _View) -> None:
    try:
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {} WITH NO DATA").format(view.quoted))
    except psycopg.Error as error:
        raise GreenroomError(
            f"{connection.info.user} cannot empty the materialised view {view} on the copy, which may show what is "
            f"masked (SQLSTATE {error.sqlstate}).",
            "Connect as its owner, or as a superuser.",
        ) from None


def _filled(connection: psycopg.Connection, view: _View) -> bool:
    """The server's words can quote a row: they are not told."""
    try:
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(view.quoted))
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return True


def _forgotten(connection: psycopg.Connection, view: _View) -> bool:
    """Whether the planner knows no old value. ANALYZE leaves what it knew of a relation that has no rows now."""
    connection.execute(sql.SQL("ANALYZE {}").format(view.quoted))
    row = connection.execute("SELECT reltuples > 0 FROM pg_class WHERE oid = %s", [view.oid]).fetchone()
    if row == (True,) or not _known(connection, view):
        return True
    try:
        if connection.info.server_version >= CLEARING:
            connection.execute(
                "SELECT pg_clear_attribute_stats(%s, %s, a.attname::text, false) FROM pg_attribute a "
                "WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped",
                [view.schema, view.name, view.oid],
            )
        else:
            connection.execute("DELETE FROM pg_statistic WHERE starelid = %s", [view.oid])
    except psycopg.errors.InsufficientPrivilege:
        return False
    return not _known(connection, view)


def _known(connection: psycopg.Connection, view: _View) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_stats WHERE schemaname = %s AND tablename = %s) OR EXISTS "
        "(SELECT FROM pg_stats_ext WHERE schemaname = %s AND tablename = %s AND most_common_vals IS NOT NULL)",
        [view.schema, view.name] * 2,
    ).fetchone()
    return row == (True,)


def _named(views: Iterable[_View]) -> str:
    return ", ".join(sorted(map(str, views)))
