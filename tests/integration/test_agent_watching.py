"""What the agent reads between statements: scans, savepoints, what is deferred, what runs past Django; at what cost."""

from __future__ import annotations

import time

from tests.integration.agent_cases import AX, runs, short
from tests.integration.agent_stage import Stage, stage

__all__ = ["stage"]


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
