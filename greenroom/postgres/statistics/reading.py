"""Reading them on the source: one query, by a psql that writes into a file without a name, beside all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from psycopg import sql

from greenroom.postgres import binaries as programs
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless, psql, running
from greenroom.postgres.server import only_reading
from greenroom.postgres.statistics import ALIKE, Statistics
from greenroom.shell import Popen

MOST_BYTES = 256 << 20  # it is one parameter of a statement, which this process holds
LOCK_WAIT_SECONDS = 2  # who asks for the size of a table waits for a lock on it

_READ = """
WITH RECURSIVE never (oid) AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN unnest({schemas}::text[], {tables}::text[]) AS x (s, t) ON x.s = n.nspname AND x.t = c.relname
    UNION  -- whatever inherits from them, and what they inherit from
    SELECT CASE never.oid WHEN i.inhrelid THEN i.inhparent ELSE i.inhrelid END
    FROM never JOIN pg_inherits i ON never.oid IN (i.inhrelid, i.inhparent)
), given AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind,
           CASE WHEN c.relkind = 'r' AND c.relpages > 0
                THEN c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
                ELSE c.reltuples END AS rows,
           row_number() OVER (ORDER BY c.relpages DESC) % {shares} AS share
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM never WHERE never.oid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_statistic_ext e WHERE e.stxrelid = c.oid)
      AND NOT EXISTS (
          SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), holding AS MATERIALIZED (
    SELECT nspname, relname, oid AS relation, nspname AS of_schema, relname AS of_name, share FROM given
    UNION ALL
    SELECT n.nspname, r.relname, r.oid, given.nspname, given.relname, given.share
    FROM given JOIN pg_index i ON i.indrelid = given.oid JOIN pg_class r ON r.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = r.relnamespace
), known AS MATERIALIZED (  -- the view by itself: nobody knows how many rows it has, and a loop over it is quadratic
    SELECT schemaname, tablename, attname, inherited, null_frac, avg_width, n_distinct, correlation, most_common_vals,
           most_common_freqs, histogram_bounds, most_common_elems, most_common_elem_freqs, elem_count_histogram
    FROM pg_stats
), told AS (
    SELECT h.of_schema AS schema, h.of_name AS name, s.tablename AS relation, s.attname AS column, a.attnum AS number,
           s.inherited, s.null_frac, s.avg_width, s.n_distinct, s.correlation,
           s.most_common_vals::text AS common, s.most_common_freqs::text AS often, s.histogram_bounds::text AS bounds,
           s.most_common_elems::text AS elements, s.most_common_elem_freqs::text AS elements_often,
           s.elem_count_histogram::text AS counts, h.share
    FROM holding h JOIN known s ON s.schemaname = h.nspname AND s.tablename = h.relname
    JOIN pg_attribute a ON a.attrelid = h.relation AND a.attname = s.attname
)
SELECT tables, coalesce(columns, '[]')
FROM (SELECT share, json_agg(json_build_object('schema', nspname, 'name', relname, 'kind', relkind, 'rows', rows))
      FROM given GROUP BY share) t (share, tables)
LEFT JOIN (SELECT share, json_agg(told) FROM told GROUP BY share) c (share, columns) USING (share)
"""


@dataclass
class Coming:
    """On their way for as long as the block of `coming` lasts: what `child` writes into `told`."""

    child: Popen[bytes] | None = None
    told: BinaryIO | None = field(default=None, repr=False)

    def arrived(self) -> list[Statistics] | None:
        """All of them, in shares of some tables each, waited for; None where they cannot be had."""
        if self.child is None or self.told is None or self.child.wait() != 0:
            return None
        self.told.seek(0)
        told = self.told.read(MOST_BYTES + 1)
        if len(told) > MOST_BYTES:
            return None
        *fields, _ = told.decode().split("\0")
        return [Statistics(tables, columns) for tables, columns in zip(fields[::2], fields[1::2], strict=True)]


NONE_COME = Coming()


@contextmanager
def coming(source: Address, never: Iterable[tuple[str, str]], *, tls: bool, shares: int = 1) -> Iterator[Coming]:
    """Read them; of no table of `never` (schema, name), nor of one that inherits from such or is inherited from.

    `source` is for sessions without timeouts; `tls`: it is reached through TLS; `shares`: how many sessions will write
    them.
    """
    able = [found for found in programs.found() if found.program("psql").exists() and (found.tls or not tls)]
    if not able:
        yield NONE_COME
        return
    reading = only_reading(source)
    words = _psql(able[0], reading, question(sorted(set(never)), shares))
    with (
        nameless() as told,
        nameless() as said,  # which may quote a value: nobody reads it
        running(words, env=reading.password_environment, stdout=told, stderr=said) as child,
    ):
        yield Coming(child, told)


def question(never: list[tuple[str, str]], shares: int) -> str:
    """What is asked, for all tables but those of `never` (schema, name): a row for each share."""
    names = {"schemas": [schema for schema, _ in never], "tables": [table for _, table in never], "shares": shares}
    return sql.SQL(_READ).format(**{name: sql.Literal(value) for name, value in names.items()}).as_string()


def _psql(client: Binaries, source: Address, asked: str) -> list[str | Path]:
    alike = {**ALIKE, "client_encoding": "UTF8", "lock_timeout": f"{LOCK_WAIT_SECONDS}s"}
    settings = "; ".join(f"SET {name} = {sql.Literal(value).as_string()}" for name, value in alike.items())
    more = (
        "--no-align",
        "--tuples-only",
        "--field-separator-zero",
        "--record-separator-zero",
        "--set=ON_ERROR_STOP=1",
        f"--command={settings}",
        f"--command={asked}",
    )
    return psql(client, source, *more)
