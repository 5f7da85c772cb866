"""Reading what a statement sets out to do."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.hazards.actions import actions, unquoted


def summary(sql: str) -> list[tuple[str, str, str, str]]:
    return [(found.kind, found.table, found.name or found.column, found.parent) for found in actions(sql)]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ('CREATE INDEX "i" ON "t" ("a")', [("create index", "t", "i", "")]),
        ('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "s"."t" ("a")', [("create index", "s.t", "i", "")]),
        ('ALTER TABLE "t" ADD COLUMN "a" integer NULL', [("add column", "t", "a", "")]),
        ('ALTER TABLE public.t ADD a int REFERENCES "p" ("id")', [("add column", "t", "a", "p")]),
        ('ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE ("a", "b")', [("add constraint", "t", "c", "")]),
        (
            'ALTER TABLE "t" ADD CONSTRAINT "c" FOREIGN KEY ("a_id") REFERENCES "p" ("id") NOT VALID',
            [("add constraint", "t", "c", "p")],
        ),
        (
            'ALTER TABLE "t" ALTER COLUMN "a" TYPE numeric(9, 4) USING "a"::numeric, ALTER COLUMN "b" SET NOT NULL',
            [("alter type", "t", "a", ""), ("set not null", "t", "b", "")],
        ),
        (
            'SET CONSTRAINTS "c" IMMEDIATE; ALTER TABLE "t" DROP CONSTRAINT "c"',
            [("drop constraint", "t", "c", "")],
        ),
        ('ALTER TABLE "t" DROP COLUMN "a" CASCADE', [("drop column", "t", "a", "")]),
        ('ALTER TABLE "t" VALIDATE CONSTRAINT "c"', [("validate", "t", "c", "")]),
        ('DROP TABLE "t" CASCADE', [("drop table", "t", "", "")]),
        ('UPDATE "t" SET "a" = $1', [("write", "t", "", "")]),
        ("WITH old AS (SELECT $1) DELETE FROM t USING old", [("write", "t", "", "")]),
        ("CLUSTER", [("cluster", "", "", "")]),
        ("CLUSTER (VERBOSE) t USING i", [("cluster", "", "", "")]),
        ("VACUUM FULL t", [("vacuum full", "", "", "")]),
        ("VACUUM (ANALYZE, FULL) t", [("vacuum full", "", "", "")]),
        ("VACUUM (ANALYZE) t", []),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY s.v WITH DATA", [("refresh", "s.v", "", "")]),
        ('TRUNCATE TABLE ONLY "t", "u" CASCADE', [("truncate", "t", "", "")]),
        ("ALTER DOMAIN s.d ADD CONSTRAINT c CHECK (VALUE > $1)", [("alter domain", "", "s.d", "")]),
        ("ALTER DOMAIN d SET NOT NULL", [("alter domain", "", "d", "")]),
        ("ALTER DOMAIN d DROP CONSTRAINT c", []),
        ("ALTER TYPE d ADD VALUE IF NOT EXISTS $1", [("add enum value", "", "d", "")]),
        ("ALTER TYPE d RENAME VALUE $1 TO $2", []),
        ("CREATE OR REPLACE TRIGGER g AFTER INSERT OR UPDATE OF a, b ON s.t", [("trigger", "s.t", "g", "")]),
        ("DROP TRIGGER IF EXISTS g ON t", [("trigger", "t", "g", "")]),
        ("ALTER TABLE t DISABLE TRIGGER g", [("trigger", "t", "g", "")]),
        ("ALTER TABLE t ENABLE ALWAYS TRIGGER g", [("trigger", "t", "g", "")]),
        ('CREATE POLICY "p" ON t USING (a = $1)', [("policy", "t", "p", "")]),
        ("ALTER TABLE t NO FORCE ROW LEVEL SECURITY", [("policy", "t", "", "")]),
        ("CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ($1) TO ($2)", [("create partition", "t", "t_1", "")]),
        ("ALTER TABLE t ATTACH PARTITION s.t_1 DEFAULT", [("attach", "t", "s.t_1", "")]),
        ("ALTER TABLE t DETACH PARTITION t_1 CONCURRENTLY", [("detach", "t", "t_1", "")]),
        ("ALTER TABLE t SET UNLOGGED, SET TABLESPACE x", [("move", "t", "", ""), ("move", "t", "", "")]),
        ("SET LOCAL lock_timeout = $1", [("set lock_timeout", "", "", "")]),
        ("SET lock_timeout = '10s'", [("set lock_timeout", "", "", "")]),
        ("SET LOCAL lock_timeout TO '0 ms'", [("lift lock_timeout", "", "", "")]),
        ("SET lock_timeout = 0", [("lift lock_timeout", "", "", "")]),
        ("SET lock_timeout TO DEFAULT", [("reset lock_timeout", "", "", "")]),
        ("RESET lock_timeout", [("reset lock_timeout", "", "", "")]),
        ('DROP INDEX CONCURRENTLY IF EXISTS "s"."i"', [("drop index", "", "s.i", "")]),
        ('REINDEX (VERBOSE, CONCURRENTLY) TABLE "t"', [("reindex", "", "t", "")]),
        ("REINDEX DATABASE CONCURRENTLY", [("reindex", "", "", "")]),
        ('COMMENT ON COLUMN "t"."a" IS $1', [("comment", "t", "a", "")]),
        ("COMMENT ON COLUMN s.t.a IS $1", [("comment", "s.t", "a", "")]),
        ('COMMENT ON TABLE "t" IS $1', []),
        ('CREATE TABLE "t" ("a" int REFERENCES "p" ("id"))', [("create table", "t", "", "p")]),
        ('ALTER TABLE "t" ALTER COLUMN "a" DROP DEFAULT', [("drop default", "t", "a", "")]),
        ('ALTER TABLE "t" RENAME COLUMN "a" TO "b"', []),
        ('SELECT "a" FROM "t"', []),
        ("", []),
    ],
)
def test_actions_of_a_statement(sql: str, found: list[tuple[str, str, str, str]]) -> None:
    assert summary(sql) == found


def test_names_that_look_like_words_of_sql() -> None:
    [action] = actions('ALTER TABLE "CHECK" ADD COLUMN "UNIQUE; DEFAULT, x" integer NOT NULL')
    assert (action.table, action.column, action.words) == ("CHECK", "UNIQUE; DEFAULT, x", {"NOT NULL"})


def test_words_and_columns_of_a_constraint() -> None:
    [action] = actions('ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE ("a", "b") DEFERRABLE')
    assert (action.columns, action.words) == (("a", "b"), {"UNIQUE"})


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ('CREATE INDEX CONCURRENTLY "i" ON "t" ("a" varchar_pattern_ops)', {"CONCURRENTLY", "PATTERN_OPS"}),
        ('REINDEX (CONCURRENTLY) INDEX "i"', {"CONCURRENTLY", "INDEX"}),
        ('ALTER TABLE "t" ADD COLUMN "serial" bigserial', {"SERIAL"}),
        ('ALTER TABLE "t" ADD COLUMN "a" int DEFAULT nextval($1)', {"SERIAL", "DEFAULT"}),
        (
            'ALTER TABLE "t" ADD COLUMN "a" int GENERATED BY DEFAULT AS IDENTITY',
            {"GENERATED", "DEFAULT", "IDENTITY"},
        ),
        ('ALTER TABLE "t" ADD COLUMN "a" int GENERATED ALWAYS AS ("b") STORED', {"GENERATED", "STORED"}),
        ('ALTER TABLE "t" ALTER "a" TYPE timestamptz USING "a" AT TIME ZONE $1', {"AT TIME ZONE"}),
        ("SET LOCAL lock_timeout = 0", {"LOCAL"}),
    ],
)
def test_words_that_tell_kinds_apart(sql: str, words: set[str]) -> None:
    [action] = actions(sql)
    assert action.words == words


def test_columns_of_an_index_for_like() -> None:
    [action] = actions('CREATE INDEX "i" ON "t" ("a" varchar_pattern_ops)')
    assert (action.column, action.columns) == ("a", ("a",))


def test_key_that_is_not_validated_is_not_looked_up() -> None:
    valid, later = (
        actions(f'ALTER TABLE "t" ADD FOREIGN KEY ("a") REFERENCES "p" ("id"){end}')[0] for end in ("", " NOT VALID")
    )
    assert (valid.makes_foreign_key, later.makes_foreign_key) == (True, False)


def test_unquoted_names() -> None:
    assert [unquoted(name) for name in ('"A""b"', "Big", 'public."t"', '"audit"."t"')] == ['A"b', "big", "t", "audit.t"]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ('ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES "p" ("Code", region)', ("Code", "region")),
        ("ALTER TABLE t ADD COLUMN a int CONSTRAINT c REFERENCES s.p(code) DEFERRABLE", ("code",)),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p ON DELETE CASCADE", ()),
    ],
)
def test_columns_that_a_foreign_key_points_to(sql: str, columns: tuple[str, ...]) -> None:
    [action] = actions(sql)
    assert (action.parent_columns, action.makes_foreign_key) == (columns, True)
