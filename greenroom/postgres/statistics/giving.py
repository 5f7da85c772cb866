"""Writing them into pg_statistic of the copy, as ANALYZE would: in one statement a session, by its superuser.

PostgreSQL 18 has functions for that, one call a column; before there are none. pg_statistic is the same in all versions
from 14 to 18.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass

import psycopg

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.postgres.statistics import ALIKE, Statistics

_SETTINGS = {
    **ALIKE,
    "allow_system_table_mods": "on",
    "jit": "off",
    "enable_nestloop": "off",  # nobody tells beforehand how many columns there are: thousands of thousands took minutes
    "work_mem": "64MB",
    "synchronous_commit": "on",  # what was loaded without is then on record: VACUUM finds its rows visible to all
}
# what ANALYZE compresses in the default way takes most of the time
_QUICKLY = """
SELECT set_config(name, 'lz4', true) FROM pg_settings
WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
"""


@dataclass(frozen=True)
class Slot:
    """One of pg_statistic's five for a column: when it is filled, and from which expressions over `ready`."""

    kind: int
    when: str
    operator: str
    collation: str
    numbers: str | None = None
    values: str | None = None

    def filled(self) -> dict[str, str]:
        """Columns and their expressions; those that are not named are NULL."""
        told = {"stakind": str(self.kind), "staop": self.operator, "stacoll": self.collation}
        columns = {name: f"CASE WHEN {self.when} IS NULL THEN 0 ELSE {value} END" for name, value in told.items()}
        if self.numbers:
            columns["stanumbers"] = f"CASE WHEN {self.when} IS NOT NULL THEN {self.numbers} END"
        if self.values:
            columns["stavalues"] = self.values
        return {f"{name}{self.kind}": value for name, value in columns.items()}


_OWN, _ELEMENTS = "attcollation", "collation_of_elements"
_SLOTS = (  # the kinds that pg_stats tells of
    Slot(1, "common", "equal", _OWN, "often", "array_in(textout(common), atttypid, atttypmod)"),
    Slot(2, "bounds", "less", _OWN, None, "array_in(textout(bounds), atttypid, atttypmod)"),
    Slot(3, "correlation", "less", _OWN, "ARRAY[correlation]"),
    Slot(4, "elements", "equal_elements", _ELEMENTS, "elements_often", "array_in(textout(elements), element, -1)"),
    Slot(5, "counts", "equal_elements", _ELEMENTS, "counts"),
)

# Operators as ANALYZE would choose them, by each type's default B-tree operator class: of the type itself, or of what
# stands for it. A domain's are those of the type below it.
_GIVE = """
WITH RECURSIVE tables AS MATERIALIZED (
    SELECT c.oid, c.relkind, s.rows, pg_relation_size(c.oid) / current_setting('block_size')::int AS pages
    FROM json_to_recordset(%(tables)s::json) AS s (schema name, name name, kind "char", rows real)
    JOIN pg_namespace n ON n.nspname = s.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.name AND c.relkind = s.kind
    WHERE NOT EXISTS (SELECT FROM pg_statistic_ext e WHERE e.stxrelid = c.oid)
), columns AS MATERIALIZED (
    SELECT t.oid AS of_table, r.oid AS relation, a.attnum, a.atttypid, a.atttypmod, a.attcollation,
           s.inherited, s.null_frac, s.avg_width, s.n_distinct, s.correlation, s.common, s.often, s.bounds, s.elements,
           s.elements_often, s.counts
    FROM json_to_recordset(%(columns)s::json) AS s (
        schema name, name name, relation name, "column" name, number int2, inherited bool,
        null_frac real, avg_width int, n_distinct real, correlation real, common text, often real[], bounds text,
        elements text, elements_often real[], counts real[])
    JOIN pg_namespace n ON n.nspname = s.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.name
    JOIN tables t ON t.oid = c.oid
    LEFT JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = s.relation
    LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
         AND CASE WHEN r.oid = c.oid THEN a.attname = s.column ELSE a.attnum = s.number END
), used AS (
    SELECT 'text'::regtype::oid AS oid
    UNION
    SELECT atttypid FROM columns
    UNION
    SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END
    FROM used JOIN pg_type t ON t.oid = used.oid
    WHERE t.typtype = 'd' OR t.typlen = -1 AND t.typelem <> 0
), below AS (
    SELECT t.oid, t.oid AS base, t.typtype, t.typbasetype FROM used JOIN pg_type t USING (oid)
    UNION ALL
    SELECT b.oid, t.oid, t.typtype, t.typbasetype FROM below b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
), types AS MATERIALIZED (
    SELECT b.oid, equal.amopopr AS equal, less.amopopr AS less,
           CASE WHEN t.oid = 'tsvector'::regtype THEN 'text'::regtype::oid ELSE t.typelem END AS element,
           CASE WHEN t.oid = 'tsvector'::regtype THEN '"default"'::regcollation::oid END AS collation
    FROM below b JOIN pg_type t ON t.oid = b.base
    LEFT JOIN pg_opclass o ON o.opcdefault AND o.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')
         AND o.opcintype = CASE
             WHEN t.typtype = 'e' THEN 'anyenum'::regtype
             WHEN t.typtype = 'c' THEN 'record'::regtype
             WHEN t.typlen = -1 AND t.typelem <> 0 THEN 'anyarray'::regtype
             WHEN t.oid = 'varchar'::regtype THEN 'text'::regtype
             WHEN t.oid = 'cidr'::regtype THEN 'inet'::regtype
             ELSE t.oid END
    LEFT JOIN pg_amop equal ON equal.amopfamily = o.opcfamily AND equal.amopstrategy = 3
         AND (equal.amoplefttype, equal.amoprighttype) = (o.opcintype, o.opcintype)
    LEFT JOIN pg_amop less ON less.amopfamily = o.opcfamily AND less.amopstrategy = 1
         AND (less.amoplefttype, less.amoprighttype) = (o.opcintype, o.opcintype)
    WHERE b.typtype <> 'd'
), ready AS MATERIALIZED (
    SELECT c.*, own.equal, own.less, own.element, element.equal AS equal_elements,
           coalesce(own.collation, c.attcollation) AS collation_of_elements,
           c.attnum IS NOT NULL
           AND t.typanalyze::oid IN (0, 'array_typanalyze'::regproc, 'ts_typanalyze'::regproc)
           AND (c.common IS NULL OR own.equal IS NOT NULL)
           AND (c.bounds IS NULL AND c.correlation IS NULL OR own.less IS NOT NULL)
           AND (c.elements IS NULL AND c.counts IS NULL OR element.equal IS NOT NULL)
           AND (c.relation = c.of_table OR o.opckeytype = 0) AS understood
    FROM columns c
    LEFT JOIN pg_type t ON t.oid = c.atttypid
    LEFT JOIN types own ON own.oid = c.atttypid
    LEFT JOIN types element ON element.oid = own.element
    LEFT JOIN pg_index i ON i.indexrelid = c.relation
    LEFT JOIN pg_opclass o ON o.oid = i.indclass[c.attnum - 1]
), expected AS (
    SELECT t.oid AS of_table, t.oid AS relation, a.attnum FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid
    WHERE t.pages > 0 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND a.attstattarget IS DISTINCT FROM 0
    UNION ALL
    SELECT t.oid, i.indexrelid, a.attnum
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_attribute a ON a.attrelid = i.indexrelid
    WHERE t.pages > 0 AND i.indkey[a.attnum - 1] = 0 AND a.attstattarget IS DISTINCT FROM 0
), whole AS MATERIALIZED (
    SELECT t.* FROM tables t
    WHERE NOT EXISTS (SELECT FROM ready r WHERE r.of_table = t.oid AND NOT r.understood)
      AND NOT EXISTS (
          SELECT FROM expected e WHERE e.of_table = t.oid AND NOT EXISTS (
              SELECT FROM ready r WHERE r.relation = e.relation AND r.attnum = e.attnum AND NOT r.inherited))
), given AS (
    INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct, {slots})
    SELECT relation, attnum, inherited, null_frac, avg_width, n_distinct, {values}
    FROM ready JOIN whole ON whole.oid = ready.of_table
), counted AS (
    UPDATE pg_class c SET relpages = whole.pages, reltuples = whole.rows,
        relallvisible = CASE WHEN pg_relation_size(c.oid, 'vm') > 0 THEN whole.pages ELSE 0 END
    FROM whole WHERE c.oid = whole.oid AND c.reltuples < 0
)
SELECT oid FROM whole
"""


def give(address: Address, shares: Sequence[Statistics]) -> set[int]:
    """The tables of the copy there that have the source's now, by oid; each share by a session of its own.

    Raises psycopg.Error, whose words can quote values: then no table of one share has them. A table without an index
    gets the source's number of rows with them; with one, CREATE INDEX has counted.
    """
    with ExitStack() as open_ones, ThreadPoolExecutor(max(1, len(shares))) as sessions:
        connections = [open_ones.enter_context(connect(address)) for _ in shares]
        try:
            return set().union(*sessions.map(give_share, connections, shares))
        except BaseException:
            for connection in connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe()
            raise


def give_share(connection: psycopg.Connection, share: Statistics) -> set[int]:
    """The same for one share, all of it or nothing, on the connected copy."""
    slots = {name: value for slot in _SLOTS for name, value in slot.filled().items()}
    words = _GIVE.format(slots=", ".join(slots), values=", ".join(slots.values()))
    with connection.transaction():
        for name, value in _SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        connection.execute(_QUICKLY)
        rows = connection.execute(words.encode(), asdict(share), binary=True).fetchall()
    return {oid for (oid,) in rows}
