"""Whether a role may read all that a copy is made of: asked before anything is made, and all of it named at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address

MOST_NAMED = 5
# pg_dump locks every table, one of excluded rows too, and asks every sequence how far it is. Not an extension's.
_BARRED = """
WITH asked AS (
    SELECT c.oid, c.relkind, n.nspname || '.' || c.relname AS name, format('%%I.%%I', n.nspname, c.relname) AS quoted,
           has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind
               WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT')
           END AS open
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (
          SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT name, open FROM asked
WHERE NOT open OR relkind = 'r' AND row_security_active(oid) AND NOT quoted = ANY (%s)
ORDER BY name
"""
# owners and grantees that the role can act for; pg_read_all_data does not hold for these
_CLOSED_OBJECTS = """
SELECT m.oid::text FROM pg_largeobject_metadata m
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  AND current_setting('lo_compat_privileges') = 'off' AND NOT pg_has_role(m.lomowner, 'USAGE')
  AND NOT EXISTS (
      SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
      AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
ORDER BY m.oid LIMIT 100
"""


def refuse_unreadable(
    connection: psycopg.Connection, source: Address, excluded: Sequence[str], *, large_objects: bool = True
) -> None:
    """Raises GreenroomError where the connected role may not read something, or not every row of it.

    `excluded` are the tables without their rows, as SQL names them; `large_objects`: they are copied too.
    """
    barred = connection.execute(_BARRED, [list(excluded)]).fetchall()
    where = f"of {source.database} on {source.server}"
    if closed := [name for name, open_ in barred if not open_]:
        raise GreenroomError(
            f"{source.user} may not read {_named(closed)} {where}.",
            f"Use a role that may read everything, or let this one: GRANT pg_read_all_data TO "
            f"{sql.Identifier(source.user).as_string()}.",
        )
    if barred:
        raise GreenroomError(
            f"row security hides rows of {_named([name for name, _ in barred])} from {source.user}, {where[3:]}.",
            "Use the owner of the tables or a role with BYPASSRLS, or leave their rows out (exclude_data).",
        )
    if large_objects and (objects := [oid for (oid,) in connection.execute(_CLOSED_OBJECTS)]):
        raise GreenroomError(
            f"{source.user} may not read the large objects {_named(objects)} {where}.",
            f"Use their owner or a superuser, or let this role: GRANT SELECT ON LARGE OBJECT {objects[0]} TO "
            f"{sql.Identifier(source.user).as_string()}, and so on; or leave them out (exclude_data).",
        )


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
