"""What a database's schema is, read from its catalogs: two of these can be compared, name by name.

Text of `pg_dump` is no measure: its order and wording change with the version of the program. Positions of columns,
oids and statistics do not count; what a client or a migration can tell apart does, and who may do what.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

import psycopg


class Definition(NamedTuple):
    """An object in words; `of` is the name of the one that it comes and goes with, empty where it is alone."""

    words: str
    of: str = ""


Catalog = Mapping[str, Definition]  # by name: `column shop_order.note`
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
_RELATION = f"""CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialised view' WHEN 'f' THEN 'foreign table'
                    WHEN 'c' THEN 'type' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
                    ELSE 'table' END || ' ' || {_TABLE}"""
_SCHEMA = "'schema ' || n.nspname"

# each: the object's name, its definition, and the name of what it comes and goes with
_QUERIES = (
    f"""SELECT {_RELATION},
           concat_ws(' ', c.relkind, c.relpersistence, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
                     CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, c.reloptions::text,
                     CASE WHEN c.relrowsecurity THEN 'row security' END,
                     CASE WHEN c.relforcerowsecurity THEN 'forced' END,
                     obj_description(c.oid, 'pg_class')),
           {_SCHEMA}
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OF_CLASS}""",
    f"""SELECT 'column ' || {_TABLE} || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, l.collname,
                     CASE WHEN a.attstorage <> y.typstorage THEN 'storage ' || a.attstorage::text END,
                     a.attcompression::text, 'statistics ' || nullif(a.attstattarget, -1)::text,
                     a.attoptions::text, a.attacl::text,
                     col_description(c.oid, a.attnum)),
           {_RELATION}
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_type y ON y.oid = a.atttypid
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {_OF_CLASS}""",
    f"""SELECT 'constraint ' || {_TABLE} || '.' || x.conname,
           concat_ws(' ', pg_get_constraintdef(x.oid), CASE WHEN NOT x.convalidated THEN 'not validated' END),
           {_RELATION}
        FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (x.contype <> 'n' OR NOT x.convalidated) AND {_OF_CLASS}""",
    f"""SELECT 'index ' || CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || i.relname,
           concat_ws(' ', pg_get_indexdef(x.indexrelid), CASE WHEN NOT x.indisvalid THEN 'invalid' END,
                     CASE WHEN x.indisclustered THEN 'clustered' END, CASE WHEN x.indisreplident THEN 'identity' END),
           {_RELATION}
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OF_CLASS}""",
    f"""SELECT 'sequence ' || {_TABLE},
           concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
                     o.attrelid::regclass::text || '.' || o.attname),
           coalesce((SELECT 'column ' || {_TABLE} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE c.oid = o.attrelid) || '.' || o.attname, {_SCHEMA})
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                       AND d.refclassid = 'pg_class'::regclass
             LEFT JOIN pg_attribute o ON o.attrelid = d.refobjid AND o.attnum = d.refobjsubid
        WHERE {_OF_CLASS}""",
    f"""SELECT 'trigger ' || {_TABLE} || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled),
           {_RELATION}
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT t.tgisinternal AND {_OF_CLASS}""",
    f"""SELECT 'policy ' || {_TABLE} || '.' || p.polname,
           concat_ws(' ', p.polcmd, p.polpermissive, pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid),
                     (SELECT string_agg(r.rolname, ',' ORDER BY r.rolname) FROM pg_roles r
                      WHERE r.oid = ANY (p.polroles))),
           {_RELATION}
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OF_CLASS}""",
    f"""SELECT 'type ' || format_type(t.oid, NULL),
           concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
                     (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
                     (SELECT string_agg(pg_get_constraintdef(oid) || convalidated, ',' ORDER BY conname)
                      FROM pg_constraint WHERE contypid = t.oid AND contype = 'c')),
           {_SCHEMA}
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype IN ('e', 'd', 'r') AND {_OWN.format(catalog="pg_type", oid="t.oid")}""",
    f"""SELECT 'function ' || p.oid::regprocedure::text,
           concat_ws(' ', p.prokind, pg_get_function_result(p.oid), md5(concat(p.prosrc, p.probin, p.prosqlbody)),
                     p.provolatile, p.proisstrict, p.prosecdef, p.proconfig::text),
           {_SCHEMA}
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OWN.format(catalog="pg_proc", oid="p.oid")}""",
    f"""SELECT 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid), {_RELATION}
        FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OWN.format(catalog="pg_statistic_ext", oid="s.oid")}""",
    f"""SELECT {_SCHEMA}, '', '' FROM pg_namespace n
        WHERE {_OWN.format(catalog="pg_namespace", oid="n.oid")}""",
    "SELECT 'extension ' || extname, extversion, '' FROM pg_extension",
    f"""SELECT 'rule ' || {_TABLE} || '.' || r.rulename, concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled),
           {_RELATION}
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.rulename <> '_RETURN' AND {_OF_CLASS}""",
    f"""SELECT 'table ' || {_TABLE} || ' under ' || i.inhparent::regclass, '', {_RELATION}
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f') AND {_OF_CLASS}""",
    "SELECT 'publication ' || pubname, (to_jsonb(p) - 'oid' - 'pubowner')::text, '' FROM pg_publication p",
    f"""SELECT 'publication ' || t.pubname || ' of ' || t.schemaname || '.' || t.tablename, to_jsonb(t)::text,
           {_RELATION}
        FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
             JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename""",
    """SELECT 'event trigger ' || evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags), ''
       FROM pg_event_trigger""",
    f"""SELECT 'comment on ' || i.type || ' ' || i.identity, d.description,
           coalesce((SELECT 'column ' || {_TABLE} || '.' || a.attname FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum = d.objsubid), {_RELATION},
                    'function ' || p.oid::regprocedure, 'type ' || format_type(t.oid, NULL))
        FROM pg_description d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
             LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
             LEFT JOIN pg_trigger g ON d.classoid = 'pg_trigger'::regclass AND g.oid = d.objoid
             LEFT JOIN pg_policy y ON d.classoid = 'pg_policy'::regclass AND y.oid = d.objoid
             LEFT JOIN pg_rewrite r ON d.classoid = 'pg_rewrite'::regclass AND r.oid = d.objoid
             LEFT JOIN pg_statistic_ext s ON d.classoid = 'pg_statistic_ext'::regclass AND s.oid = d.objoid
             LEFT JOIN pg_class c ON c.oid = coalesce(
                 CASE d.classoid WHEN 'pg_class'::regclass THEN d.objoid END,
                 nullif(k.conrelid, 0), g.tgrelid, y.polrelid, r.ev_class, s.stxrelid)
             LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_proc p ON d.classoid = 'pg_proc'::regclass AND p.oid = d.objoid
             LEFT JOIN pg_type t ON t.oid = CASE d.classoid WHEN 'pg_type'::regclass THEN d.objoid ELSE k.contypid END
        WHERE d.objoid >= 16384 AND i.type NOT IN ('table', 'table column')""",
    f"""SELECT '{PRIVILEGES}' || {_TABLE}, {_ON_RELATION}, {_RELATION}
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {_OF_CLASS}""",
    f"""SELECT '{PRIVILEGES}' || p.oid::regprocedure, {_ON_FUNCTION}, 'function ' || p.oid::regprocedure
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE {_OWN.format(catalog="pg_proc", oid="p.oid")}""",
    f"""SELECT '{PRIVILEGES}schema ' || n.nspname, {_ON_SCHEMA}, {_SCHEMA}
        FROM pg_namespace n WHERE {_OWN.format(catalog="pg_namespace", oid="n.oid")}""",
)


@dataclass(frozen=True)
class Difference:
    """Names, sorted: what one database has and the other lacks, and what both have, defined otherwise.

    Of what is missing or added as a whole the parts are not named: columns, indexes, privileges, comments of a table.
    """

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
    found: dict[str, Definition] = {}
    for query in _QUERIES:
        rows = connection.execute(query.encode())
        found.update((name, Definition(words or "", of or "")) for name, words, of in rows)
    return found


def ungranted(catalog: Catalog) -> Catalog:
    """Without who may do what: a copy for other roles has the same otherwise."""
    return {name: definition for name, definition in catalog.items() if not name.startswith(PRIVILEGES)}


def difference(before: Catalog, after: Catalog) -> Difference:
    """What makes `after` another schema than `before`."""
    return Difference(
        _wholes(before, before.keys() - after.keys()),
        _wholes(after, after.keys() - before.keys()),
        tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
    )


def _wholes(catalog: Catalog, names: Set[str]) -> tuple[str, ...]:
    """Without those whose whole is among them."""
    return tuple(sorted(name for name in names if catalog[name].of not in names))


def digest(catalog: Catalog) -> str:
    """SHA-256: equal schemas, equal digests."""
    return hashlib.sha256(json.dumps(sorted(catalog.items())).encode()).hexdigest()
