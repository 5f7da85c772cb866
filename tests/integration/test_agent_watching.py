"""What the agent sees of a migration: locks, rewrites, scans, WAL; in transactions, in autocommit, past Django."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.integration.agent_cases import AX, CASES, RX, SRX, check, rehearse_all, runs, short
from tests.integration.agent_stage import Stage, Told, staged


@pytest.fixture
def stage(server18: Server, tmp_path: Path) -> Iterator[Stage]:
    with staged(server18, tmp_path) as found:
        yield found


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


def test_many_quick_transactions_neither_miss_nor_invent_a_scan(stage: Stage) -> None:
    """The server gives its counters away at most once a second: they run on from one transaction to the next."""
    stage.python_step(
        "0002_quick",
        """
        import time
        for turn in range(120):
            list(Big.objects.filter(code="no such").values("id")[:1])
            list(Big.objects.filter(pk=turn).values("id"))
            with transaction.atomic():
                list(Big.objects.filter(pk=turn).values("id"))
                list(Big.objects.filter(code__lt="code", n=turn % 7).values("code"))
            time.sleep(0.02)
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    statements = told.statements("0002_quick")
    assert len(statements) == 4 * 120
    for one in statements:
        scans = [(short(scan), scan["scans"]) for scan in one["scans"]]
        expected = [("big", 1)] if "LIMIT 1" in one["sql"] else []
        assert scans == expected, one


def test_scan_of_a_statement_that_failed_is_not_put_on_the_next(stage: Stage) -> None:
    stage.python_step(
        "0002_failing",
        """
        from django.db import DatabaseError
        for turn in range(3):
            try:
                with transaction.atomic():
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT count(*), 1 / (count(*) - count(*)) FROM shop_big")
            except DatabaseError:
                pass
            list(Big.objects.filter(pk=1))
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    failed, read = told.statements("0002_failing")[::2], told.statements("0002_failing")[1::2]
    assert [one["sqlstate"] for one in failed] == ["22012"] * 3
    assert [one["scans"] for one in read] == [[], [], []]


def test_savepoint_gives_its_locks_back(stage: Stage) -> None:
    stage.python_step(
        "0002_savepoint",
        """
        class Enough(Exception):
            pass
        for turn in range(2):
            try:
                with transaction.atomic():
                    editor.execute("ALTER TABLE shop_big ALTER n TYPE bigint")
                    raise Enough
            except Enough:
                pass
        editor.execute("ALTER TABLE shop_cust ADD a int")
        """,
    )
    told = stage.rehearse()
    first, second, other = told.statements("0002_savepoint")
    for one in (first, second):
        assert (short(one["rewrites"][0]), one["rewrites"][0]["size_bytes"] > 0) == ("big", True)
        assert ("big", AX) in {(short(lock), lock["mode"]) for lock in one["locks"]}
    assert [short(lock) for lock in other["locks"]] == ["cust"] and other["rewrites"] == []
    released = told.all("released")
    assert [event["n"] for event in released] == [first["n"], second["n"]]
    assert ("big", AX) in {(short(lock), lock["mode"]) for lock in released[0]["locks"]}
    assert "SAVEPOINT" not in " ".join(one["sql"] for one in told.statements())


def test_rolled_back_rewrite_is_no_rewrite_later(stage: Stage) -> None:
    stage.python_step(
        "0002_rolled_back",
        """
        try:
            with transaction.atomic():
                editor.execute("ALTER TABLE shop_big ALTER n TYPE bigint")
                raise KeyError
        except KeyError:
            pass
        editor.execute("ALTER TABLE shop_big ADD a int")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    rewriting, adding = told.statements("0002_rolled_back")
    assert len(rewriting["rewrites"]) == 1 and adding["rewrites"] == []
    assert [
        event["outcome"] for event in told.of_migration("0002_rolled_back") if event["event"] == "transaction_end"
    ] == [
        "rollback",
        "commit",
        "commit",
    ]


def test_repetitions_are_read_once_at_their_end(stage: Stage) -> None:
    stage.python_step(
        "0002_loop",
        """
        for pk in range(1901, 1951):
            Big.objects.filter(code=f"code-{pk}").update(n=0)
        list(Big.objects.filter(pk=1))
        """,
    )
    told = stage.rehearse()
    updates = [one for one in told.statements("0002_loop") if one["sql"].startswith("UPDATE")]
    assert len(updates) == 50 and all(one["rows"] == 1 for one in updates)
    assert [one["locks"] for one in updates[1:]] == [[]] * 49
    (reading,) = [one for one in told.of_migration("0002_loop") if one["event"] == "reading"]
    assert reading["n"] == updates[-1]["n"]
    assert sum(scan["scans"] for one in [*updates, reading] for scan in one["scans"]) == 50


def test_deferred_checks_are_seen_before_the_commit(stage: Stage) -> None:
    """A foreign key without an index: each deleted parent costs a scan of the child, when the constraint is checked."""
    stage.sql("DROP INDEX shop_child_big")
    stage.migration("0002_delete", runs("DELETE FROM shop_big WHERE id > 1900"))
    stage.migration("0003_alone", runs("DELETE FROM shop_big WHERE id > 1800"), atomic=False)
    told = stage.rehearse()
    (reading,) = [one for one in told.of_migration("0002_delete") if one["event"] == "reading"]
    assert [(short(scan), scan["scans"]) for scan in reading["scans"]] == [("child", 100)]
    alone = told.statement("0003_alone", "DELETE")
    assert ("child", 100) in [(short(scan), scan["scans"]) for scan in alone["scans"]]


def test_driver_cursor_past_django_is_read_before_the_commit(stage: Stage) -> None:
    stage.python_step(
        "0002_raw",
        """
        with transaction.atomic():
            connection.connection.cursor().execute("ALTER TABLE shop_big ADD a int")
        """,
        atomic=False,
    )
    reading = stage.rehearse().one("reading")
    assert [(short(lock), lock["mode"]) for lock in reading["locks"]] == [("big", AX)]


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


def test_server_side_cursor_lives_on(stage: Stage) -> None:
    stage.python_step(
        "0002_iterate", "assert sum(1 for _ in Big.objects.iterator(chunk_size=100)) == 2000", atomic=False
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert [one["how"] for one in told.statements("0002_iterate")] == ["polled"]


def test_reconnect_is_told_and_watched_on(stage: Stage) -> None:
    stage.python_step(
        "0002_reconnect",
        'connection.close()\neditor.execute("ALTER TABLE shop_big ADD a int")',
        atomic=False,
    )
    told = stage.rehearse()
    first, second = told.all("connection")
    assert first["pid"] != second["pid"]
    assert [short(lock) for lock in told.statement("0002_reconnect", "ALTER TABLE")["locks"]] == ["big"]


def test_new_connection_object_is_watched_on(stage: Stage) -> None:
    stage.python_step(
        "0002_object",
        """
        del connections["default"]
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE shop_big ADD a int")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert [short(lock) for lock in told.statement("0002_object", "ALTER TABLE")["locks"]] == ["big"]


def test_connection_object_of_before_is_watched_again(stage: Stage) -> None:
    stage.python_step(
        "0002_object",
        """
        del connections["default"]
        with connections["default"].cursor() as cursor:
            cursor.execute("ALTER TABLE shop_big ADD a int")
        editor.execute("ALTER TABLE shop_big ADD b int")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    statements = told.statements("0002_object")
    assert [one["how"] for one in statements] == ["wrapped", "wrapped"]
    assert [[short(lock) for lock in one["locks"]] for one in statements] == [["big"]] * 2


OF_DJANGO = """
        further = connections.create_connection("default")
        with further.cursor() as cursor:
            cursor.execute("SELECT 1")"""
OF_THE_DRIVER = """
        import psycopg
        own, words = connections["default"].get_connection_params(), ("host", "port", "dbname", "user", "password")
        further = psycopg.connect(**{word: own[word] for word in words if word in own})
        further.execute("SELECT 1")"""


@pytest.mark.parametrize("further", [OF_DJANGO, OF_THE_DRIVER], ids=["Django's", "the driver's"])
@pytest.mark.parametrize("atomic", [True, False])
def test_further_connection_is_noted_and_the_apps_own_is_watched_on(stage: Stage, atomic: bool, further: str) -> None:
    stage.python_step(
        "0002_further",
        f"""
        editor.execute("ALTER TABLE shop_big ADD a int")
{further}
        editor.execute("ALTER TABLE shop_big ADD b int")
        further.close()
        editor.execute("ALTER TABLE shop_big ADD c int")
        """,
        atomic=atomic,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.one("note")["what"] == "The app used a further connection: its statements were not watched."
    own = [one for one in told.statements("0002_further") if "ALTER" in one["sql"]]
    assert [one["how"] for one in own] == ["transaction" if atomic else "wrapped"] * 3
    assert len(told.all("connection")) == 1


def test_transaction_of_the_driver_ends_before_the_next_statement(stage: Stage) -> None:
    stage.python_step(
        "0002_driver",
        """
        connection.ensure_connection()
        with connection.connection.transaction():
            editor.execute("ALTER TABLE shop_big ADD a int")
        editor.execute("ALTER TABLE shop_big ADD b int")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    first, second = told.statements("0002_driver")
    assert [one["how"] for one in (first, second)] == ["transaction", "wrapped"]
    assert [[short(lock) for lock in one["locks"]] for one in (first, second)] == [["big"], ["big"]]


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


def test_connection_of_a_thread_is_noted(stage: Stage) -> None:
    stage.python_step(
        "0002_thread",
        """
        import threading
        def work():
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT 1")
            connections["default"].close()
        for turn in range(2):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """,
    )
    told = stage.rehearse()
    assert told.one("note")["what"] == "A thread of the app connected on its own: its statements were not watched."
    assert told.statements("0002_thread") == []


def test_composed_and_many_statements_are_told(stage: Stage) -> None:
    stage.python_step(
        "0002_odd",
        """
        from psycopg import sql
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("UPDATE {} SET name = {}").format(sql.Identifier("shop_cust"), sql.Literal("x")))
            cursor.execute(b"SELECT 1")
            cursor.executemany("UPDATE shop_cust SET name = %s WHERE id = %s", [("a", 1), ("b", 2)])
        """,
    )
    composed, plain, many = stage.rehearse().statements("0002_odd")
    assert composed["sql"] == "UPDATE \"shop_cust\" SET name = 'x'"
    assert plain["sql"] == "SELECT 1"
    assert (many["many"], many["rows"]) == (True, 2)


def test_watching_costs_little_of_the_apps_own_time(stage: Stage) -> None:
    """Processor time: other work on the machine changes it less. The time by the clock is a benchmark's to judge."""
    stage.python_step(
        "0002_rounds",
        """
        import time
        def quickest():
            found = []
            for turn in range(60):
                with transaction.atomic():
                    started = time.process_time()
                    for n in range(10):
                        with connection.cursor() as cursor:
                            cursor.execute(f"UPDATE shop_big SET n = n WHERE id = {turn * 10 + n + 1}")
                    found.append(time.process_time() - started)
            return min(found)
        watched = quickest()
        connection.execute_wrappers.clear()
        print("ms a statement:", (watched - quickest()) * 100)
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert float(told.printed.split()[-1]) < 0.4


def test_times_are_the_machines_monotonic_clock(stage: Stage) -> None:
    stage.migration("0002_sleep", runs("SELECT pg_sleep(0.2)"))
    before = time.monotonic()
    told = stage.rehearse()
    after = time.monotonic()
    assert all(before < event["t"] < after for event in told.events)
    assert 0.2 <= told.statement("0002_sleep", "SELECT")["seconds"] < 1.0
