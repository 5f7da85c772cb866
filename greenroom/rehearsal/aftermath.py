"""What the migration leaves to those who knew the copy before: views, columns, look-ups, and prepared statements.

A client of its own has each table's SELECT prepared before the migration, as drivers and poolers do, and executes it
once afterwards. It reads no row, and holds no lock meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.rehearsal import catalog
from greenroom.rehearsal.catalog import Catalog, Key
from greenroom.rehearsal.channel import patient
from greenroom.rehearsal.observations import Aftermath, Lookup
from greenroom.rehearsal.recorder import label
from greenroom.rehearsal.relations import read

PREPARED = 200  # tables: more are not asked for
TRIED = 10  # look-ups
LOOKUP_MS = 10_000
WAIT_MS = 2_000  # for locks: the migration has ended, and left none but by accident

_SCANS = """
SELECT coalesce(sum(pg_stat_get_xact_numscans(oid)), 0)::bigint
FROM (SELECT {0}::oid AS oid UNION SELECT relid FROM pg_partition_tree({0}::oid::regclass)) AS read
"""


class Client:
    """Connected before the migration; `aftermath` says after it what the client has met."""

    def __init__(self, address: Address) -> None:
        self._connection = connect(patient(address))
        self._before = catalog.read(self._connection)
        tables = [one for one in read(self._connection) if one.reachable and one.kind in ("r", "p")][:PREPARED]
        self._prepared = {f"greenroom_{number}": one.label for number, one in enumerate(tables)}
        for name, one in zip(self._prepared, tables, strict=True):
            self._prepare(sql.Identifier(name), sql.Identifier(one.schema, one.name))

    def aftermath(self) -> Aftermath:
        """What is different now. Raises psycopg.OperationalError: the session was ended meanwhile."""
        self._connection.execute(sql.SQL("SET lock_timeout = {}").format(WAIT_MS))
        after = catalog.read(self._connection)
        gone = self._before.views.keys() - after.views.keys()
        names = {view.name for view in after.views.values()}
        return Aftermath(
            views={view.name: view.reads for view in self._before.views.values()},
            views_gone=frozenset(self._before.views[oid].name for oid in gone) - names,
            dated=tuple(column for place, column in after.dated.items() if place not in self._before.dated),
            lookups=tuple(self._looked_up(after)),
            refused=self._refused(),
        )

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def _prepare(self, name: sql.Identifier, table: sql.Identifier) -> None:
        """Every column by its name, as Django asks for them."""
        columns = self._connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        self._connection.execute(sql.SQL("PREPARE {} AS SELECT {} FROM {} LIMIT 0").format(name, names, table))

    def _refused(self) -> dict[str, str]:
        refused = {}
        for name, table in self._prepared.items():
            try:
                self._connection.execute(sql.SQL("EXECUTE {}").format(sql.Identifier(name)))
            except psycopg.Error as error:
                if self._connection.broken:
                    raise
                refused[table] = error.sqlstate or ""
        return refused

    def _looked_up(self, after: Catalog) -> Iterator[Lookup]:
        new = [key for oid, key in after.unindexed.items() if oid not in self._before.unindexed]
        for number, key in enumerate(new):
            table, parent = (label(".".join(name)) for name in (key.table, key.parent))
            seconds = self._look_up(key) if number < TRIED else None
            if seconds is None or seconds > 0:
                yield Lookup(table, key.columns, parent, seconds)

    def _look_up(self, key: Key) -> float | None:
        """Seconds of looking for the rows that refer to one of the parent's, as the server does when that is deleted.

        None when there is none to look for, or it may not be read; 0 when an index found them after all.
        """
        parents, columns = (sql.SQL(", ").join(map(sql.Identifier, one)) for one in (key.parent_columns, key.columns))
        table, parent = sql.Identifier(*key.table), sql.Identifier(*key.parent)
        one_parent = sql.SQL("SELECT {0} FROM {1} WHERE ({0}) IS NOT NULL LIMIT 1").format(parents, parent)
        children = sql.SQL("SELECT count(*) FROM {} WHERE ({}) = ({})")  # no parameters: names may hold a %
        scans = sql.SQL(_SCANS).format(key.oid)
        run, started = self._connection.execute, time.monotonic()
        try:
            with self._connection.transaction(force_rollback=True):
                run(sql.SQL("SET LOCAL statement_timeout = {}").format(LOOKUP_MS))
                run("SET LOCAL max_parallel_workers_per_gather = 0")  # nor has a foreign key's trigger any
                row, before = run(one_parent).fetchone(), run(scans).fetchone()
                if row is None:
                    return None
                started = time.monotonic()
                run(children.format(table, columns, sql.SQL(", ").join(map(sql.Literal, row))))
                seconds = time.monotonic() - started
                return seconds if run(scans).fetchone() != before else 0.0
        except psycopg.errors.QueryCanceled:
            return time.monotonic() - started
        except psycopg.errors.InsufficientPrivilege:
            return None
