"""What the schema editor has run, said again: by the forms of the statements that Django writes."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.agent.twin_sql import Column, Unwritable, foreign_keys, pieces_of

NOTHING = Column()


def said(*statements: str, column: Column = NOTHING) -> list[tuple[str, tuple[str, ...]]]:
    return [(piece.kind, piece.sql) for piece in pieces_of(statements, column)]


def test_index_is_built_concurrently_and_a_torn_one_dropped_before() -> None:
    [piece] = pieces_of(['CREATE INDEX "i" ON "odd"."t" USING gin ("a")'], NOTHING)
    drop = 'DROP INDEX CONCURRENTLY IF EXISTS "odd"."i"'
    assert piece.sql == (drop, 'CREATE INDEX CONCURRENTLY "i" ON "odd"."t" USING gin ("a")')
    assert piece.reverse == (drop,)


def test_unique_constraint_uses_an_index_that_was_built_before() -> None:
    assert said(
        'ALTER TABLE "t" ADD CONSTRAINT "u" UNIQUE NULLS NOT DISTINCT ("a", "b") DEFERRABLE INITIALLY DEFERRED'
    ) == [
        (
            "concurrent",
            (
                'DROP INDEX CONCURRENTLY IF EXISTS "u"',
                'CREATE UNIQUE INDEX CONCURRENTLY "u" ON "t" ("a", "b") NULLS NOT DISTINCT',
            ),
        ),
        ("brief", ('ALTER TABLE "t" ADD CONSTRAINT "u" UNIQUE USING INDEX "u" DEFERRABLE INITIALLY DEFERRED',)),
    ]


def test_check_and_foreign_key_are_validated_last() -> None:
    key = 'ALTER TABLE "t" ADD CONSTRAINT "k" FOREIGN KEY ("a") REFERENCES "p" ("id") DEFERRABLE INITIALLY DEFERRED'
    check = 'ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("a" >= 0)'
    assert said(key, check) == [
        ("brief", (f"{key} NOT VALID",)),
        ("brief", (f"{check} NOT VALID",)),
        ("validate", ('ALTER TABLE "t" VALIDATE CONSTRAINT "k"',)),
        ("validate", ('ALTER TABLE "t" VALIDATE CONSTRAINT "c"',)),
    ]
    assert next(piece.tables for piece in pieces_of([key], NOTHING)) == {'"t"', '"p"'}


def test_not_null_believes_a_check_that_was_validated() -> None:
    assert said('ALTER TABLE "t" ALTER COLUMN "a" SET NOT NULL') == [
        ("brief", ('ALTER TABLE "t" ADD CONSTRAINT "a_not_null_twin" CHECK ("a" IS NOT NULL) NOT VALID',)),
        ("validate", ('ALTER TABLE "t" VALIDATE CONSTRAINT "a_not_null_twin"',)),
        (
            "brief",
            (
                'ALTER TABLE "t" ALTER COLUMN "a" SET NOT NULL',
                'ALTER TABLE "t" DROP CONSTRAINT "a_not_null_twin"',
            ),
        ),
    ]


def test_column_comes_without_what_is_looked_up_in_every_row() -> None:
    text = (
        'ALTER TABLE "t" ADD COLUMN "a_id" bigint DEFAULT 7 NOT NULL UNIQUE CHECK ("a_id" >= 0)'
        ' CONSTRAINT "k" REFERENCES "p"("id") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS "k" IMMEDIATE'
    )
    first, *rest = said(text, column=Column(unique='"t_a_id_key"', check='"t_a_id_check"', check_sql='"a_id" >= 0'))
    assert first == ("brief", ('ALTER TABLE "t" ADD COLUMN "a_id" bigint DEFAULT 7 NOT NULL',))
    assert [sql[-1] for _, sql in rest] == [
        'ALTER TABLE "t" ADD CONSTRAINT "k" FOREIGN KEY ("a_id") REFERENCES "p" ("id")'
        " DEFERRABLE INITIALLY DEFERRED NOT VALID",
        'ALTER TABLE "t" ADD CONSTRAINT "t_a_id_check" CHECK ("a_id" >= 0) NOT VALID',
        'CREATE UNIQUE INDEX CONCURRENTLY "t_a_id_key" ON "t" ("a_id")',
        'ALTER TABLE "t" ADD CONSTRAINT "t_a_id_key" UNIQUE USING INDEX "t_a_id_key"',
        'ALTER TABLE "t" VALIDATE CONSTRAINT "k"',
        'ALTER TABLE "t" VALIDATE CONSTRAINT "t_a_id_check"',
    ]


def test_text_of_a_default_is_not_taken_for_a_part_of_the_definition() -> None:
    text = """ALTER TABLE "t" ADD COLUMN "a" text DEFAULT ' UNIQUE' NOT NULL"""
    assert said(text, column=Column(unique=None)) == [("brief", (text,))]


def test_nulls_are_filled_in_batches_with_their_own_commits() -> None:
    [(kind, (script,))] = said("""UPDATE "t" SET "a" = 'x' WHERE "a" IS NULL; SET CONSTRAINTS ALL IMMEDIATE""")
    assert kind == "fill"
    assert """UPDATE "t" SET "a" = 'x'""" in script and "COMMIT;" in script and "SET CONSTRAINTS" not in script


def test_foreign_key_that_is_dropped_and_added_again_is_left_alone() -> None:
    drop = 'SET CONSTRAINTS "k" IMMEDIATE; ALTER TABLE "t" DROP CONSTRAINT "k"'
    add = 'ALTER TABLE "t" ADD CONSTRAINT "k" FOREIGN KEY ("a") REFERENCES "p" ("id") DEFERRABLE INITIALLY DEFERRED'
    change = 'ALTER TABLE "t" ALTER COLUMN "a" DROP NOT NULL'
    assert said(drop, change, add) == [("brief", (change,))]
    with pytest.raises(Unwritable):
        said(drop, change, add.replace('"k"', '"another"'))


def test_keys_of_a_new_table_are_picked_out() -> None:
    statements = [
        'CREATE TABLE "t" ("id" bigint NOT NULL PRIMARY KEY)',
        'ALTER TABLE "t" ADD CONSTRAINT "k" FOREIGN KEY ("a") REFERENCES "p" ("id") DEFERRABLE INITIALLY DEFERRED',
        'CREATE INDEX "i" ON "t" ("a")',
        'ALTER TABLE "t" ADD CONSTRAINT "l" FOREIGN KEY ("b") REFERENCES "q" ("id") DEFERRABLE INITIALLY DEFERRED',
    ]
    assert [piece.kind for piece in foreign_keys(statements)] == ["brief", "brief", "validate", "validate"]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ('ALTER TABLE "t" ALTER COLUMN "a" TYPE bigint USING "a"::bigint', "ALTER TABLE ALTER COLUMN has no twin"),
        ('DROP INDEX IF EXISTS "i"', "DROP INDEX IF EXISTS has no twin"),
        ('ALTER TABLE "t" ALTER COLUMN "a" SET DEFAULT 7', "changes the column's default"),
        ("ALTER TABLE t ADD COLUMN a int", "none of Django's"),
    ],
)
def test_statement_that_is_not_known_is_refused(statement: str, why: str) -> None:
    with pytest.raises(Unwritable, match=why):
        pieces_of([statement], NOTHING)
