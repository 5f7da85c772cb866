"""What the agent sees outside of a transaction: statements that it wraps in one, and those that refuse to be."""

from __future__ import annotations

import pytest

from tests.integration.agent_cases import AX, runs, short
from tests.integration.agent_stage import Stage, stage

__all__ = ["stage"]


def test_autocommit_statement_is_wrapped_so_that_its_locks_are_seen(stage: Stage) -> None:
    stage.migration("0002_add", runs("ALTER TABLE shop_big ADD a int"), atomic=False)
    told = stage.rehearse()
    statement = told.statement("0002_add", "ALTER TABLE")
    assert statement["how"] == "wrapped"
    assert [(short(lock), lock["mode"]) for lock in statement["locks"]] == [("big", AX)]
    assert [event["event"] for event in told.of_migration("0002_add")][:3] == [
        "statement_start",
        "statement_end",
        "transaction_end",
    ]
    assert stage.sql("SELECT count(a) FROM shop_big") == [(0,)]


def test_concurrently_is_refused_in_a_block_then_polled(stage: Stage) -> None:
    stage.migration(
        "0002_concurrently",
        'postgres.AddIndexConcurrently("big", models.Index(fields=["code"], name="big_code"))',
        atomic=False,
    )
    told = stage.rehearse()
    refused, polled = told.statements("0002_concurrently")
    assert (refused["how"], refused["retried"], refused["sqlstate"]) == ("wrapped", True, "25001")
    assert (polled["how"], polled["sqlstate"], polled["operation"]) == ("polled", None, 0)
    assert refused["sql"] == polled["sql"]
    assert told.code == 0
    assert stage.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'big_code'::regclass") == [(True,)]


@pytest.mark.parametrize(
    ("statement", "only_indexes"), [("VACUUM FULL shop_big", False), ("REINDEX INDEX CONCURRENTLY shop_big_n", True)]
)
def test_polled_statement_shows_its_rewrite(stage: Stage, statement: str, only_indexes: bool) -> None:
    stage.migration("0002_rewrite", runs(statement), atomic=False)
    polled = stage.rehearse().statements("0002_rewrite")[1]
    assert [(short(one), one["only_indexes"]) for one in polled["rewrites"]] == [("big", only_indexes)]


def test_procedure_that_commits_is_run_plainly(stage: Stage) -> None:
    stage.sql("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN UPDATE shop_cust SET name = ''x''; COMMIT; END'")
    stage.migration("0002_call", runs("CALL p()"), atomic=False)
    told = stage.rehearse()
    assert [(one["how"], one["sqlstate"]) for one in told.statements("0002_call")] == [
        ("wrapped", "2D000"),
        ("polled", None),
    ]
    assert stage.sql("SELECT DISTINCT name FROM shop_cust") == [("x",)]


def test_deferred_constraint_fails_as_the_app_would_have_met_it(stage: Stage) -> None:
    """Outside of the rehearsal the INSERT itself would raise; wrapped, it is the agent's COMMIT that does."""
    stage.python_step(
        "0002_orphan",
        """
        from django.db import IntegrityError
        try:
            apps.get_model("shop", "Child").objects.create(big_id=999999)
        except IntegrityError:
            print("caught as ever")
        list(Big.objects.filter(pk=1))
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0 and "caught as ever" in told.printed


def test_transaction_block_within_a_non_atomic_migration_is_one_transaction(stage: Stage) -> None:
    stage.python_step(
        "0002_block",
        """
        with transaction.atomic():
            editor.execute("ALTER TABLE shop_big ADD a int")
            editor.execute("ALTER TABLE shop_cust ADD a int")
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("ALTER TABLE shop_child ADD a int")
            cursor.execute("COMMIT")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert [(one["sql"].split()[0], one["how"]) for one in told.statements("0002_block")] == [
        ("ALTER", "transaction"),
        ("ALTER", "transaction"),
        ("BEGIN", "polled"),
        ("ALTER", "transaction"),
        ("COMMIT", "transaction"),
    ]
    ends = [event["outcome"] for event in told.of_migration("0002_block") if event["event"] == "transaction_end"]
    assert ends == ["commit", "commit", "commit"]  # the two blocks', and that of Django's own record


def test_first_statement_may_set_the_transaction_up(stage: Stage) -> None:
    """SET TRANSACTION must come before any query: the agent's own too."""
    stage.migration("0002_a", runs("ALTER TABLE shop_big ADD a int"))
    stage.migration(
        "0003_set", runs("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE") + "," + runs("SELECT count(*) FROM shop_big")
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert [short(scan) for scan in told.statement("0003_set", "SELECT")["scans"]] == ["big"]
