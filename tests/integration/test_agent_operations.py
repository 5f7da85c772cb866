"""What the agent sees of one operation: its locks, rewrites, scans and WAL, and whose statements are whose."""

from __future__ import annotations

import pytest

from tests.integration.agent_cases import CASES, RX, SRX, check, rehearse_all, runs, short
from tests.integration.agent_stage import Stage, Told, stage, staged

__all__ = ["stage"]


@pytest.fixture(scope="module")
def everything(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """All cases in one run for each server."""
    told = {}
    for name in ("server15", "server18"):
        with staged(request.getfixturevalue(name), tmp_path_factory.mktemp(name)) as found:
            told[name] = rehearse_all(found)
    return told


@pytest.mark.parametrize("server_name", ["server15", "server18"])
@pytest.mark.parametrize("number", range(2, len(CASES) + 2), ids=[case.name for case in CASES])
def test_operation_is_seen_as_it_is(everything: dict[str, Told], server_name: str, number: int) -> None:
    check(everything[server_name], number)


def test_rewrite_names_its_indexes_rows_and_size(everything: dict[str, Told]) -> None:
    rewrite = everything["server18"].statement("0009_widen_type", "ALTER TABLE")["rewrites"][0]
    assert rewrite["rows"] == 2000
    assert rewrite["size_bytes"] > 100_000
    assert {"shop_big_pkey"} <= set(rewrite["indexes"])
    only = everything["server18"].statement("0018_reindex", "REINDEX")["rewrites"][0]
    assert only["indexes"] == ["shop_big_n"] and 0 < only["size_bytes"] < rewrite["size_bytes"]


def test_wal_is_counted_where_it_is_asked_for(everything: dict[str, Told], stage: Stage) -> None:
    assert everything["server18"].statement("0009_widen_type", "ALTER TABLE")["wal_bytes"] > 100_000
    assert everything["server18"].statement("0002_add_nullable", "ALTER TABLE")["wal_bytes"] < 50_000
    stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
    assert stage.rehearse(wal=False).statement("0002_add", "ALTER TABLE")["wal_bytes"] is None


def test_backfill_takes_row_locks_only(everything: dict[str, Told]) -> None:
    update = everything["server18"].statement("0020_backfill", "UPDATE")
    assert [(lock["table"], lock["mode"]) for lock in update["locks"]] == [("public.shop_big", RX)]
    assert update["rows"] == 2000


def test_created_table_is_new_and_its_foreign_key_locks_the_old_one(stage: Stage) -> None:
    fields = '("id", models.BigAutoField(primary_key=True)), ("big", models.ForeignKey("shop.Big", models.CASCADE))'
    stage.migration("0002_create", f'migrations.CreateModel("Fresh", [{fields}])')
    told = stage.rehearse()
    create = told.statement("0002_create", "CREATE TABLE")
    assert {lock["new"] for lock in create["locks"]} == {True}
    deferred = told.statement("0002_create", "ALTER TABLE")
    assert (deferred["operation"], deferred["how"]) == (0, "transaction")
    assert {("big", SRX)} == {(short(lock), lock["mode"]) for lock in deferred["locks"] if not lock["new"]} - {
        ("big", "RowShareLock")
    }


def test_deferred_sql_belongs_to_the_operation_that_queued_it(stage: Stage) -> None:
    stage.migration(
        "0002_two",
        """
        migrations.AddField("big", "a", models.TextField(null=True)),
        migrations.AddField("big", "b", models.IntegerField(null=True, db_index=True)),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL("SELECT 1"), migrations.RunSQL("SELECT 2")],
            state_operations=[migrations.AddField("big", "c", models.TextField(null=True))],
        ),
        migrations.RunSQL("SELECT 3"),
        """,
    )
    told = stage.rehearse()
    assert [(one["sql"].split()[0], one["operation"]) for one in told.statements("0002_two")] == [
        ("ALTER", 0),
        ("ALTER", 1),
        ("SELECT", 2),
        ("SELECT", 3),
        ("SELECT", 4),
        ("CREATE", 1),
    ]
    assert [operation["index"] for operation in told.one("plan")["migrations"][0]["operations"]] == [0, 1, 2, 3, 4]


def test_rename_keeps_the_name_that_the_statement_found(stage: Stage) -> None:
    stage.migration("0002_rename", 'migrations.AlterModelTable("cust", "clients"), ' + runs("LOCK clients"))
    told = stage.rehearse()
    assert [lock["table"] for lock in told.statement("0002_rename", "ALTER TABLE")["locks"]] == ["public.shop_cust"]
    stage.migration("0003_more", runs("ALTER TABLE clients ADD a int"))
    stage.migration(
        "0004_back", runs("ALTER TABLE clients RENAME TO customers") + "," + runs("ALTER TABLE customers ADD b int")
    )
    told = stage.rehearse()
    assert [lock["table"] for lock in told.statement("0003_more", "ALTER TABLE")["locks"]] == ["public.clients"]
    stage.migration("0005_last", runs("ALTER TABLE customers ADD c int"))
    assert stage.rehearse().statement("0005_last", "ALTER TABLE")["locks"][0]["table"] == "public.customers"


def test_model_of_the_code_is_told_once_an_operation(stage: Stage) -> None:
    stage.write(
        "shop/models.py",
        """
        from django.db import models


        class Big(models.Model):
            code = models.CharField(max_length=50)
        """,
    )
    stage.python_step("0002_own", "Big.objects.update(code='x'); Big.objects.count()")
    direct = "from shop.models import Big as Code\n"
    stage.python_step("0003_code", direct + "Code.objects.update(code='y'); Code.objects.create(code='z').delete()")
    stage.python_step("0004_code", direct + "list(Code.objects.all())")
    told = stage.rehearse()
    assert [(one["operation"], one["model"]) for one in told.all("model")] == [(0, "shop.Big")] * 2
