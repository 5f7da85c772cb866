"""Materialised views that are filled already when their tables are masked, as on a copy that came whole.

They hold the old values, so all of them are emptied first, and only then filled anew where their query works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers, mask_statistics

# functions of PostgreSQL's own that run a query, or read a table, which they get as text
_READING = (
    "query_to_xml query_to_xml_and_xmlschema table_to_xml table_to_xml_and_xmlschema schema_to_xml "
    "schema_to_xml_and_xmlschema database_to_xml database_to_xml_and_xmlschema cursor_to_xml ts_stat ts_rewrite"
).split()
# by views, and views of views; what calls a function may read anything, but for those of extensions that are IMMUTABLE
# (similarity), or that read elsewhere (dblink), where a REFRESH would ask once more
_SHOWING = """
WITH RECURSIVE queries AS (
    SELECT r.ev_class, d.refclassid, d.refobjid FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
    WHERE r.ev_type = '1' AND d.refobjid <> r.ev_class),
reading AS (
    SELECT pg_catalog.string_agg(oid::text, '|') AS oids FROM pg_catalog.pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%(reading)s)),
showing AS (
    SELECT unnest(%(masked)s::oid[]) AS oid
    UNION SELECT r.ev_class FROM pg_catalog.pg_rewrite r, reading
    WHERE r.ev_type = '1' AND r.ev_action::text ~ pg_catalog.format(':funcid (%%s) ', oids)
    UNION SELECT q.ev_class FROM queries q JOIN pg_catalog.pg_proc p ON p.oid = q.refobjid
    WHERE q.refclassid = 'pg_catalog.pg_proc'::regclass AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid
        WHERE e.classid = q.refclassid AND e.objid = q.refobjid AND e.deptype = 'e'
          AND (p.provolatile = 'i' OR x.extname = 'dblink'))
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
    views = [_View(*row) for row in connection.execute(_SHOWING, {"masked": list(masked), "reading": _READING})]
    for view in views:
        _empty(connection, view)
    left, before = views, len(views) + 1
    while left and len(left) < before:  # one that shows another waits for it
        before = len(left)
        left = [view for view in left if not _filled(connection, view)]
    oids = [view.oid for view in views]
    mask_statistics.forget(connection, oids)
    for view in views:
        connection.execute(sql.SQL("ANALYZE {}").format(view.quoted))
    return [
        *([f"filled anew from the masked rows: {_named(set(views) - set(left))}"] if len(left) < len(views) else []),
        *([f"emptied: {_named(left)}; REFRESH MATERIALIZED VIEW fails on the masked copy"] if left else []),
        *mask_statistics.left(connection, oids),
    ]


def _empty(connection: psycopg.Connection, view: _View) -> None:
    try:
        connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {} WITH NO DATA").format(view.quoted))
    except psycopg.Error as error:
        if forbidden := event_triggers.blamed(connection, error):
            raise GreenroomError(
                f"the materialised view {view} on the copy, which may show what is masked, cannot be emptied: "
                f"{forbidden[0]}.",
                forbidden[1],
            ) from None
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


def _named(views: Iterable[_View]) -> str:
    return ", ".join(sorted(map(str, views)))
