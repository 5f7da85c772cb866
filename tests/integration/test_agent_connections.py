"""Connections that the app reconnects, replaces or opens besides, and threads: what the agent watches of them."""

from __future__ import annotations

import pytest

from tests.integration.agent_cases import short
from tests.integration.agent_stage import Stage, stage

__all__ = ["stage"]


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
