"""Hazards of indexes: what proves them, and what does not."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Left, LeftIndex, RehearsalError
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.observations import Observations
from tests.rehearsal.observed import AX, BUDGET, SHARE, SUX, ids, lock, observed, operation, statement

INDEX = 'CREATE INDEX "i" ON "shop_order" ("status")'
LIKE = 'CREATE INDEX "i_like" ON "shop_order" ("status" varchar_pattern_ops)'
UNIQUE = 'ALTER TABLE "shop_order" ADD CONSTRAINT "u" UNIQUE ("status")'
CONCURRENT = 'CREATE UNIQUE INDEX CONCURRENTLY "u" ON "shop_order" ("status")'
DROP = 'DROP INDEX IF EXISTS "shop_order_pkey"'
ALTER = operation(0, "AlterField", "Alter field status on order", name="status", field="CharField")
LEFT = Left(invalid_indexes=[LeftIndex(table="shop_order", index="u")])


def summary(observations: Observations) -> str:
    [finding] = judge(observations, BUDGET)
    return finding.evidence.summary


def test_index_for_like_is_told_with_the_one_that_was_wanted() -> None:
    steps = [
        statement(INDEX, 0.0, 0.2, lock("shop_order", SHARE, 0.0, 500), scans=("shop_order",)),
        statement(LIKE, 0.2, 0.3, scans=("shop_order",)),
    ]
    assert ids(observed([ALTER], steps)) == [("H02", "warning")]
    assert summary(observed([ALTER], steps)) == (
        "Two indexes of status, one for LIKE alone, were built from 300,000 rows (38.0 MB) of shop_order in 500 ms; "
        "held: SHARE on shop_order for 500 ms; writers waited up to 500 ms."
    )


def test_index_for_like_alone_is_an_index_like_others() -> None:
    alone = statement(LIKE, 0.0, 0.3, lock("shop_order", SHARE, 0.0, 500), scans=("shop_order",))
    assert ids(observed([ALTER], [alone])) == [("H01", "warning")]


def test_unique_field_has_an_index_for_like_beside_its_constraint() -> None:
    steps = [
        statement(UNIQUE, 0.0, 0.2, lock("shop_order", AX, 0.0, 500), scans=("shop_order",)),
        statement(LIKE, 0.2, 0.3, lock("shop_order", SHARE, 0.2, 300), scans=("shop_order",)),
    ]
    assert ids(observed([ALTER], steps)) == [("H02", "warning"), ("H08", "warning")]


def test_index_for_like_of_a_new_column_is_built_under_its_lock() -> None:
    add = statement(
        'ALTER TABLE "shop_order" ADD COLUMN "status" varchar(20) NULL', 0.0, 0.0, lock("shop_order", AX, 0.0, 500)
    )
    steps = [add, *(statement(sql, 0.1, 0.2, scans=("shop_order",)) for sql in (INDEX, LIKE))]
    field = operation(0, "AddField", "Add field status to order", name="status", field="SlugField")
    assert ids(observed([field], steps)) == [("H03", "warning")]


def test_dropped_index_is_no_finding_alone_and_bounded() -> None:
    drop = statement(DROP, 0.0, 0.001, lock("shop_order", AX, 0.0, 3))
    more = statement('ALTER TABLE "shop_order" ADD COLUMN "a" int NULL', 0.1, 0.001)
    remove = operation(0, "RemoveIndex", "Remove index shop_order_pkey from order", name="shop_order_pkey")
    assert ids(observed([remove], [drop])) == []
    assert ids(observed([remove], [drop, more])) == [("H04", "note")]
    assert ids(observed([remove], [drop], lock_timeout_ms=None)) == [("H04", "note"), ("H44", "note")]


def test_dropped_index_of_an_empty_or_a_new_table_is_no_finding() -> None:
    empty = statement('DROP INDEX "i"', 0.0, 0.001, lock("shop_empty", AX, 0.0, 3))
    new = statement('DROP INDEX "i"', 0.0, 0.001)
    for harmless in (empty, new):
        findings = judge(observed([operation(0, "RemoveIndex")], [harmless], lock_timeout_ms=None), BUDGET)
        assert "H04" not in {finding.hazard for finding in findings}


def test_dropped_index_names_the_table_that_was_locked() -> None:
    observations = observed([operation(0, "RunSQL")], [], lock_timeout_ms=None)
    observations.relations = {"a.shop_order": observations.relations["shop_order"], **observations.relations}
    observations.migrations[0].statements.append(statement(DROP, 0.0, 0.001, lock("shop_order", AX, 0.0, 3)))
    assert [f.table for f in judge(observations, BUDGET) if f.hazard == "H04"] == ["shop_order"]


def test_reindex_is_as_grave_as_the_table_is_large() -> None:
    sql = 'REINDEX TABLE "{0}"'
    large = statement(sql.format("shop_order"), 0.0, 2.4, lock("shop_order", SHARE, 0, 2500), rebuilt=("shop_order",))
    small = statement(sql.format("shop_colour"), 0.0, 0.001, lock("shop_colour", SHARE, 0, 2), rebuilt=("shop_colour",))
    free = statement(
        sql.format("CONCURRENTLY shop_order"), 0.0, 2.4, lock("shop_order", SUX, 0, 2500), rebuilt=("shop_order",)
    )
    assert ids(observed([operation(0, "RunSQL")], [large])) == [("H07", "failure")]
    assert ids(observed([operation(0, "RunSQL")], [small])) == [("H07", "note")]
    assert ids(observed([operation(0, "RunSQL")], [free])) == []


def test_unique_index_with_a_condition_builds_or_fails() -> None:
    sql = 'CREATE UNIQUE INDEX "u" ON "shop_order" ("status") WHERE "note" IS NOT NULL'
    built = statement(sql, 0.0, 0.5, lock("shop_order", SHARE, 0.0, 500), scans=("shop_order",))
    failed = statement(sql, 0.0, 0.5, sqlstate="23505")
    add = operation(0, "AddConstraint", "Create constraint u on model order", name="u")
    assert ids(observed([add], [built])) == [("H09", "warning")]
    assert ids(observed([add], [failed], error=error("IntegrityError", "23505"))) == [("H09", "failure")]


def error(exception: str, sqlstate: str | None = None, operation: str = "0") -> RehearsalError:
    return RehearsalError(
        kind="migration failed",
        exception=exception,
        sqlstate=sqlstate,
        migration="shop.0002_change",
        operation=operation,
    )


def test_concurrently_that_django_refuses_is_found_without_a_statement() -> None:
    add = operation(
        0, "AddIndexConcurrently", "Concurrently create index u on field(s) status of model order", name="u"
    )
    [finding] = judge(observed([add], [], error=error("NotSupportedError")), BUDGET)
    assert (finding.hazard, finding.severity, finding.table, finding.operation) == ("H05", "failure", "shop_order", 0)
    assert finding.evidence.summary == "AddIndexConcurrently was refused in an atomic migration (NotSupportedError)."
    assert 'AddIndexConcurrently("order", models.Index(fields=["status"], name="u"))' in finding.advice.django


def test_index_that_cannot_be_dropped_in_a_transaction_is_advised_to_be_dropped() -> None:
    remove = operation(0, "RemoveIndexConcurrently", "Concurrently remove index u from order", name="u")
    [finding] = judge(observed([remove], [], error=error("NotSupportedError")), BUDGET)
    assert 'RemoveIndexConcurrently("order", "u")' in finding.advice.django


@pytest.mark.parametrize(
    ("kind", "exception", "sqlstate", "operation_"),
    [
        ("AddField", "NotSupportedError", None, "0"),
        ("AddIndexConcurrently", "NotSupportedError", "0A000", "0"),
        ("AddIndexConcurrently", "ValueError", None, "0"),
        ("AddIndexConcurrently", "NotSupportedError", None, "1"),
    ],
)
def test_other_failures_are_not_of_concurrently(
    kind: str, exception: str, sqlstate: str | None, operation_: str
) -> None:
    failed = error(exception, sqlstate, operation_)
    assert ids(observed([operation(0, kind), operation(1, "RunSQL")], [], error=failed)) == []


def test_refusal_in_a_migration_that_is_not_atomic_has_another_reason() -> None:
    observations = observed([operation(0, "AddIndexConcurrently")], [], error=error("NotSupportedError"))
    observations.plan.migrations[0].atomic = False
    assert ids(observations) == []


def test_concurrently_that_the_server_refuses_is_found() -> None:
    refused = statement(CONCURRENT, 0.0, 0.001, sqlstate="25001")
    failed = error("InternalError", "25001")
    assert ids(observed([operation(0, "RunSQL")], [refused], error=failed)) == [("H05", "failure")]


def test_invalid_index_is_told_by_who_built_it() -> None:
    build = statement(CONCURRENT, 0.0, 0.4, lock("shop_order", SUX, 0.0, 400), sqlstate="23505", polled=True)
    failed = observed([operation(0, "RunSQL")], [build], error=error("IntegrityError", "23505"), left=LEFT)
    [finding] = judge(failed, BUDGET)
    assert (finding.hazard, finding.severity, finding.migration) == ("H06", "failure", "shop.0002_change")
    assert finding.evidence.summary == (
        "A failed CONCURRENTLY (SQLSTATE 23505) left the index u on 300,000 rows (38.0 MB) of shop_order invalid."
    )
    assert 'DROP INDEX CONCURRENTLY IF EXISTS "u"' in finding.advice.django


def test_invalid_index_that_nobody_built_is_told_all_the_same() -> None:
    [finding] = judge(observed([operation(0, "RunPython")], [], left=LEFT), BUDGET)
    assert (finding.hazard, finding.table, finding.migration) == ("H06", "shop_order", None)


def test_invalid_index_of_a_reindex_bears_a_name_of_the_servers() -> None:
    left = Left(invalid_indexes=[LeftIndex(table="shop_order", index="shop_order_pkey_ccnew")])
    build = statement('REINDEX INDEX CONCURRENTLY "shop_order_pkey"', 0.0, 0.4, sqlstate="57014", polled=True)
    [finding] = judge(observed([operation(0, "RunSQL")], [build], left=left), BUDGET)
    assert (finding.hazard, finding.migration) == ("H06", "shop.0002_change")
    assert 'DROP INDEX CONCURRENTLY IF EXISTS "shop_order_pkey_ccnew"' in finding.advice.django


def test_concurrently_that_only_failed_left_nothing() -> None:
    build = statement(CONCURRENT, 0.0, 0.4, sqlstate="42703", polled=True)
    assert ids(observed([operation(0, "RunSQL")], [build], error=error("ProgrammingError", "42703"))) == []


@pytest.mark.parametrize(
    ("sets", "session_ms", "found"),
    [
        ([], None, []),
        ([], 2000, [("H45", "note")]),
        (["SET lock_timeout = '2s'"], None, [("H45", "note")]),
        (["SET LOCAL lock_timeout = '2s'"], None, []),  # in a transaction of its own
        (["SET lock_timeout = 0"], 2000, []),
        (["SET lock_timeout = 0", "RESET lock_timeout"], 2000, [("H45", "note")]),
        (["SET lock_timeout = '2s'", "SET lock_timeout TO DEFAULT"], None, []),
    ],
)
def test_concurrently_under_a_lock_timeout(
    sets: list[str], session_ms: float | None, found: list[tuple[str, str]]
) -> None:
    steps = [statement(sql, number / 10, 0.0, transaction=number) for number, sql in enumerate(sets)]
    steps.append(statement(CONCURRENT, 1.0, 0.4, lock("shop_order", SUX, 1.0, 400), transaction=9, polled=True))
    assert ids(observed([operation(0, "RunSQL")], steps, lock_timeout_ms=session_ms)) == found


def test_concurrently_that_a_lock_timeout_ended_is_a_failure() -> None:
    ended = statement(CONCURRENT, 0.0, 2.0, lock("shop_order", SUX, 0.0, 2000), sqlstate="55P03", polled=True)
    failed = observed([operation(0, "RunSQL")], [ended], error=error("OperationalError", "55P03"), left=LEFT)
    assert ids(failed) == [("H06", "failure"), ("H45", "failure")]


def test_concurrently_on_an_empty_table_ends_at_once() -> None:
    sql = 'CREATE INDEX CONCURRENTLY "i" ON "shop_empty" ("a")'
    assert ids(observed([operation(0, "RunSQL")], [statement(sql, 0.0, 0.01, polled=True)])) == []


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ('("a", "b")', 'models.Index(fields=["a", "b"], name='),
        ('USING btree ("a")', 'models.Index(fields=["a"], name='),
        ('USING gin ("tags")', 'GinIndex(fields=["tags"], name='),
        ('USING gin ("tags" jsonb_path_ops) WHERE ("a" > $1)', "GinIndex(..., name="),
        ('USING brin ("at") WITH (autosummarize = on)', "BrinIndex(..., name="),
        ('("a" DESC)', "models.Index(..., name="),
        ('(UPPER("a"))', "models.Index(..., name="),
        ('("a") INCLUDE ("b")', "models.Index(..., name="),
        ('("a") WHERE ("b" IS NULL)', "models.Index(..., name="),
    ],
)
def test_advice_has_the_kind_of_index_that_it_was(sql: str, index: str) -> None:
    step = statement(
        f'CREATE INDEX "i" ON "shop_order" {sql}', 0.0, 3.0, lock("shop_order", SHARE, 0.0, 3000), scans=("shop_order",)
    )
    [finding] = [one for one in judge(observed([operation(0, "AddIndex")], [step]), BUDGET) if one.hazard == "H01"]
    assert index in finding.advice.django
    compile(finding.advice.django, "H01", "exec")
