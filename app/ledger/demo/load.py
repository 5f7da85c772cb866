"""Writes the story through the *migration state*: into the tables and columns that the applied migrations made.

The large tables are filled without their indexes and foreign keys, which are put back at the end: three times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import StateApps
from psycopg.sql import Literal

from ledger.demo.story import COUNTS_CALLS_AFTER, FURTHER_TEXTS, WORKS, Row, Story, tell

EARLIEST = ("ledger", "0009_statement_details")
MODELS = ("Release", "Rehearsal", "MigrationRun", "Statement", "Lock", "Stall", "Finding")


class CannotLoad(Exception):
    """The database is not in a state that demo data can be written to; the message is one sentence."""


class Filled(CannotLoad):
    """It has rows already."""


def load(connection: BaseDatabaseWrapper, statements: int, seed: int) -> None:
    """Fill the empty ledger with so many statements and what goes with them. Raises CannotLoad."""
    apps = applied_state(connection)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        refuse_when_filled(apps, cursor)
        # immediate: a table with a foreign key's check still to come cannot be altered
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL synchronous_commit = off; SET LOCAL maintenance_work_mem = '256MB'")
        story = tell(statements, seed)
        copy_small_tables(apps, cursor, story)
        copy_recipes(cursor, story)
        statement, lock = apps.get_model("ledger", "Statement"), apps.get_model("ledger", "Lock")
        with without_indexes(cursor, [lock, statement]):
            insert(cursor, statement, STATEMENT_COLUMNS, STATEMENTS)
            insert(cursor, lock, LOCK_COLUMNS, LOCKS)
        advance_sequences(connection, apps, cursor)
    vacuum(connection, apps)


def applied_state(connection: BaseDatabaseWrapper) -> StateApps:
    """The models as the migrations that this database has describe them."""
    loader = MigrationLoader(connection)
    applied = [node for node in loader.applied_migrations if node in loader.graph.nodes]
    if EARLIEST not in applied:
        raise CannotLoad(f"Demo data needs the migration {'.'.join(EARLIEST)}, which this database does not have yet.")
    return loader.project_state(applied).apps


def refuse_when_filled(apps: StateApps, cursor: CursorWrapper) -> None:
    for table in tables(apps):
        cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
        if cursor.fetchone()[0]:
            raise Filled(f"The table {table} has rows already: demo data goes into an empty ledger only.")


def copy_small_tables(apps: StateApps, cursor: CursorWrapper, story: Story) -> None:
    small = {"Release": story.releases, "Rehearsal": story.rehearsals, "MigrationRun": story.migrations}
    for name, rows in {**small, "Stall": story.stalls, "Finding": story.findings}.items():
        model = apps.get_model("ledger", name)
        copy(cursor, model._meta.db_table, columns(model, list(rows[0])) if rows else [], rows)


def copy_recipes(cursor: CursorWrapper, story: Story) -> None:
    """What SQL needs to make the statements: how many each migration has, and the texts to choose from."""
    counts_calls_from = len(story.migrations) * COUNTS_CALLS_AFTER
    first, recipes = 1, []
    for number, (table, work, length) in enumerate(zip(story.tables, story.works, story.statements, strict=True)):
        recipes.append(
            {"migration": number + 1, "first": first, "length": length, "tbl": table, "work": work}
            | {"counts_calls": number >= counts_calls_from}
        )
        first += length
    cursor.execute(RECIPE_TABLES)
    copy(cursor, "demo_migration", list(recipes[0]), recipes)
    texts = [*(work.text for work in WORKS), *FURTHER_TEXTS]
    rows = [{"n": n, "sql": t.sql, "seconds": t.seconds, "touched": t.rows} for n, t in enumerate(texts)]
    copy(cursor, "demo_text", list(rows[0]), rows)
    cursor.execute("ANALYZE demo_migration; ANALYZE demo_text")


def columns(model: type[models.Model], known: Sequence[str]) -> list[str]:
    """The columns to write: those that the state has and the story knows. Raises CannotLoad where one is missing."""
    fields = model._meta.concrete_fields
    for field in fields:
        if field.column not in known and not may_be_left_out(field):
            raise CannotLoad(f"Demo data has no value for {model._meta.db_table}.{field.column}, which must have one.")
    return [column for column in (field.column for field in fields) if column and column in known]


def may_be_left_out(field: models.Field[Any, Any]) -> bool:
    return field.primary_key or field.null or field.has_db_default()


def copy(cursor: CursorWrapper, table: str, names: list[str], rows: list[Row]) -> None:
    listed = ", ".join(f'"{name}"' for name in names)
    with cursor.copy(f'COPY "{table}" ({listed}) FROM STDIN') as target:
        for row in rows:
            target.write_row([row[name] for name in names])


def insert(cursor: CursorWrapper, model: type[models.Model], expressions: dict[str, str], source: str) -> None:
    names = columns(model, list(expressions))
    fields = {field.column: field for field in model._meta.concrete_fields}
    listed = ", ".join(f'"{name}"' for name in names)
    chosen = ", ".join(or_default(fields[name], expressions[name]) for name in names)
    cursor.execute(f'INSERT INTO "{model._meta.db_table}" ({listed}) SELECT {chosen} FROM {source}')


def or_default(field: models.Field[Any, Any], expression: str) -> str:
    """Where the state has no NULL any more, older rows have what its migration gave them."""
    if field.null or not field.has_default():
        return expression
    return f"COALESCE({expression}, {Literal(field.get_default()).as_string()})"


@contextmanager
def without_indexes(cursor: CursorWrapper, without: list[type[models.Model]]) -> Iterator[None]:
    """Take keys, unique constraints and indexes off these tables (referencing before referenced), put them back."""
    restore: list[str] = []
    for table in (model._meta.db_table for model in without):
        cursor.execute(CONSTRAINTS_OF, [table])
        for name, definition in cursor.fetchall():
            cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
            restore.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}')
        cursor.execute(INDEXES_OF, [table])
        for name, definition in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
            restore.append(definition)
    yield
    for statement in reversed(restore):
        cursor.execute(statement)


def advance_sequences(connection: BaseDatabaseWrapper, apps: StateApps, cursor: CursorWrapper) -> None:
    from django.core.management.color import no_style

    every = [apps.get_model("ledger", name) for name in MODELS]
    for statement in connection.ops.sequence_reset_sql(no_style(), every):
        cursor.execute(statement)


def vacuum(connection: BaseDatabaseWrapper, apps: StateApps) -> None:
    """As autovacuum would leave the tables: statistics up to date, every page known to be visible."""
    listed = ", ".join(f'"{table}"' for table in tables(apps))
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM (ANALYZE) {listed}")


def tables(apps: StateApps) -> list[str]:
    return [apps.get_model("ledger", name)._meta.db_table for name in MODELS]


RECIPE_TABLES = """
CREATE TEMPORARY TABLE demo_migration
    (migration bigint, first bigint, length int, tbl text, work int, counts_calls boolean) ON COMMIT DROP;
CREATE TEMPORARY TABLE demo_text
    (n int, sql text, seconds float8, touched bigint) ON COMMIT DROP;
"""

# The first statement is the work itself, the last one Django's record, and between them is chance: `luck`, even between
# 0 and 1, and `choice`. Both are the same for the same statement on every server version: hashint8extended is stable.
STATEMENTS = f"""
    demo_migration m
    CROSS JOIN LATERAL generate_series(0, m.length - 1) AS p(position)
    CROSS JOIN LATERAL (
        SELECT (hashint8extended(m.first + position, 1) & 16777215) / 16777216.0::float8 AS luck,
               (hashint8extended(m.first + position, 2) & 16777215) % {len(FURTHER_TEXTS) - 1} AS choice
    ) AS dice
    JOIN demo_text t ON t.n = CASE position
        WHEN 0 THEN m.work
        WHEN m.length - 1 THEN {len(WORKS) + len(FURTHER_TEXTS) - 1}
        ELSE {len(WORKS)} + choice END
"""

STATEMENT_COLUMNS = {
    "id": "m.first + position",
    "migration_id": "m.migration",
    "position": "position",
    "sql": "replace(t.sql, '{t}', m.tbl)",
    "calls": "CASE WHEN m.counts_calls THEN CASE WHEN luck > 0.97 THEN 2 + choice ELSE 1 END END",
    "operation": "CASE WHEN m.counts_calls AND position < m.length - 1 THEN position * 3 / m.length END",
    "transaction": "CASE WHEN m.counts_calls THEN 0 END",
    "started_s": "position * 31 / 10000::float8",
    "seconds": "round(t.seconds * power(1 - luck, -0.6::float8) * 1000000::float8) / 1000000::float8",
    "rows": "t.touched",
    "wal_bytes": "CASE WHEN m.counts_calls THEN 180 * t.touched END",
    "sqlstate": "''",
}

LOCKS = """
    demo_migration m
    JOIN demo_text t ON t.n = m.work
    JOIN ledger_statement s ON s.id = m.first
    CROSS JOIN LATERAL (SELECT t.sql LIKE 'ALTER%' AS exclusive) AS ddl
"""

LOCK_COLUMNS = {
    "statement_id": "s.id",
    "table": "m.tbl",
    "mode": "CASE WHEN exclusive THEN 'AccessExclusiveLock' ELSE 'ShareLock' END",
    "acquired_s": "s.started_s",
    "held_ms": "s.seconds * 1000 + m.length * 3.1",
    "blocks_reads": "exclusive",
    "blocks_writes": "true",
    "polled": "false",
}

CONSTRAINTS_OF = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f') ORDER BY contype, conname
"""

INDEXES_OF = """
    SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = %s::regclass AND NOT i.indisprimary ORDER BY c.relname
"""
