"""What a database's schema is, read from its catalogs: two of these can be compared, name by name.

Text of `pg_dump` is no measure: its order and wording change with the version of the program. Positions of columns,
oids and statistics do not count; what a client or a migration can tell apart does, and who may do what.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

Catalog = Mapping[str, str]  # `column shop_order.note` -> its definition
PRIVILEGES = "access to "  # how the names begin of what may be done, and by whom

_OWN = """
n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass AND e.objid = {oid} AND e.deptype = 'e')
"""
_OF_CLASS = _OWN.format(catalog="pg_class", oid="c.oid")
_GRANTED = """(SELECT string_agg(concat_ws(' ', coalesce(nullif(g.grantee, 0)::regrole::text, 'PUBLIC'),
                                           g.privilege_type, CASE WHEN g.is_grantable THEN 'grantable' END),
                                 ',' ORDER BY g.grantee, g.privilege_type)
               FROM aclexplode(coalesce({acl}, acldefault({kind}, {owner}))) g)"""
_ON_RELATION = _GRANTED.format(
    acl="c.relacl", owner="c.relowner", kind="CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\""
)
_ON_FUNCTION = _GRANTED.format(acl="p.proacl", owner="p.proowner", kind="'f'")
_ON_SCHEMA = _GRANTED.format(acl="n.nspacl", owner="n.nspowner", kind="'n'")
_TABLE = "CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname"

_QUERIES = (
    f"""SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'f' THEN 'foreign table'
                  WHEN 'c' THEN 'type' ELSE 'table' END || ' ' || {_TABLE},
           concat_ws(' ', c.relkind, c.relpersistence, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
                     CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, c.reloptions::text,
                     CASE WHEN c.relrowsecurity THEN 'row security' END,
                     CASE WHEN c.relforcerowsecurity THEN 'forced' END,
                     obj_description(c.oid, 'pg_class'))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OF_CLASS}""",
    f"""SELECT 'column ' || {_TABLE} || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, l.collname,
                     CASE WHEN a.attstorage <> y.typstorage THEN 'storage ' || a.attstorage::text END,
                     a.attcompression::text, 'statistics ' || nullif(a.attstattarget, -1)::text,
                     a.attoptions::text, a.attacl::text,
                     col_description(c.oid, a.attnum))
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_type y ON y.oid = a.atttypid
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OF_CLASS}""",
    f"""SELECT 'constraint ' || {_TABLE} || '.' || x.conname,
           concat_ws(' ', pg_get_constraintdef(x.oid), CASE WHEN NOT x.convalidated THEN 'not validated' END)
        FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (x.contype <> 'n' OR NOT x.convalidated) AND {_OF_CLASS}""",
    f"""SELECT 'index ' || CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || i.relname,
           concat_ws(' ', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'invalid' END,
                     CASE WHEN x.indisclustered THEN 'clustered' END, CASE WHEN x.indisreplident THEN 'identity' END)
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OF_CLASS}""",
    f"""SELECT 'sequence ' || {_TABLE},
           concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
                     (SELECT o.attrelid::regclass::text || '.' || o.attname FROM pg_depend d
                      JOIN pg_attribute o ON o.attrelid = d.refobjid AND o.attnum = d.refobjsubid
                      WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OF_CLASS}""",
    f"""SELECT 'trigger ' || {_TABLE} || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND {_OF_CLASS}""",
    f"""SELECT 'policy ' || {_TABLE} || '.' || p.polname,
           concat_ws(' ', p.polcmd, p.polpermissive, pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid),
                     (SELECT string_agg(r.rolname, ',' ORDER BY r.rolname) FROM pg_roles r
                      WHERE r.oid = ANY (p.polroles)))
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OF_CLASS}""",
    f"""SELECT 'type ' || format_type(t.oid, NULL),
           concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
                     (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
                     (SELECT string_agg(pg_get_constraintdef(oid) || convalidated, ',' ORDER BY conname)
                      FROM pg_constraint WHERE contypid = t.oid AND contype = 'c'))
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'r') AND {_OWN.format(catalog="pg_type", oid="t.oid")}""",
    f"""SELECT 'function ' || p.oid::regprocedure::text,
           concat_ws(' ', p.prokind, pg_get_function_result(p.oid), md5(concat(p.prosrc, p.probin, p.prosqlbody)),
                     p.provolatile, p.proisstrict, p.prosecdef, p.proconfig::text)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OWN.format(catalog="pg_proc", oid="p.oid")}""",
    f"""SELECT 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid)
        FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
        WHERE {_OWN.format(catalog="pg_statistic_ext", oid="s.oid")}""",
    f"""SELECT 'schema ' || n.nspname, '' FROM pg_namespace n
        WHERE {_OWN.format(catalog="pg_namespace", oid="n.oid")}""",
    "SELECT 'extension ' || extname, extversion FROM pg_extension",
    f"""SELECT 'rule ' || {_TABLE} || '.' || r.rulename, concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {_OF_CLASS}""",
    f"""SELECT 'table ' || {_TABLE} || ' under ' || i.inhparent::regclass, ''
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f') AND {_OF_CLASS}""",
    "SELECT 'publication ' || pubname, (to_jsonb(p) - 'oid' - 'pubowner')::text FROM pg_publication p",
    """SELECT 'publication ' || pubname || ' of ' || schemaname || '.' || tablename, to_jsonb(t)::text
       FROM pg_publication_tables t""",
    """SELECT 'event trigger ' || evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags)
       FROM pg_event_trigger""",
    """SELECT 'comment on ' || i.type || ' ' || i.identity, d.description
       FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
       WHERE d.objoid >= 16384 AND i.type NOT IN ('table', 'table column')""",
    f"""SELECT '{PRIVILEGES}' || {_TABLE}, {_ON_RELATION}
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_OF_CLASS}""",
    f"""SELECT '{PRIVILEGES}' || p.oid::regprocedure, {_ON_FUNCTION}
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OWN.format(catalog="pg_proc", oid="p.oid")}""",
    f"""SELECT '{PRIVILEGES}schema ' || n.nspname, {_ON_SCHEMA}
        FROM pg_namespace n WHERE {_OWN.format(catalog="pg_namespace", oid="n.oid")}""",
)


@dataclass(frozen=True)
class Difference:
    """Names, sorted: what one database has and the other lacks, and what both have, defined otherwise."""

    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.added or self.changed)

    @property
    def sentences(self) -> list[str]:
        """`index shop_order_note_idx is missing`, one a line."""
        return [
            *(f"{name} is missing" for name in self.missing),
            *(f"{name} is there in addition" for name in self.added),
            *(f"{name} is defined otherwise" for name in self.changed),
        ]


def read(connection: psycopg.Connection) -> Catalog:
    """Every object of the connected database that is neither the system's nor an extension's."""
    found: dict[str, str] = {}
    for query in _QUERIES:
        found.update((name, definition or "") for name, definition in connection.execute(query.encode()))
    return found


def ungranted(catalog: Catalog) -> Catalog:
    """Without who may do what: a copy for other roles has the same otherwise."""
    return {name: definition for name, definition in catalog.items() if not name.startswith(PRIVILEGES)}


def difference(before: Catalog, after: Catalog) -> Difference:
    """What makes `after` another schema than `before`."""
    return Difference(
        tuple(sorted(before.keys() - after.keys())),
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def digest(catalog: Catalog) -> str:
    """SHA-256: equal schemas, equal digests."""
    return hashlib.sha256(json.dumps(sorted(catalog.items())).encode()).hexdigest()
