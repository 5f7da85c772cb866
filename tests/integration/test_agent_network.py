"""What the agent lets the app reach: the copy, and no other host or database, by socket or by driver."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agent_stage import SETTINGS, Stage, stage

__all__ = ["stage"]


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    """A host that nobody may reach: it would remember who came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_network_may_be_allowed(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        stage.python_step(
            "0002_open",
            f"""
            import socket
            socket.create_connection(("{host}", {port})).close()
            from django.core import cache, mail
            print(type(mail.get_connection()).__module__, type(cache.caches["default"]).__name__)
            """,
        )
        stage.write(
            "settings.py", SETTINGS + 'CACHES["default"]["BACKEND"] = "django.core.cache.backends.dummy.DummyCache"'
        )
        told = stage.rehearse(allow_network=True)
        server.accept()[0].close()
    assert told.code == 0, told.events[-1]
    assert told.printed == "django.core.mail.backends.smtp DummyCache\n"


@pytest.mark.parametrize(
    "call",
    [
        "socket.create_connection(place)",
        "socket.socket().connect(place)",
        "socket.socket().connect_ex(place)",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', place)",
        "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, place)",
        "__import__('urllib.request').request.urlopen('http://%s:%s/' % place)",
        "__import__('asyncio').run(__import__('asyncio').open_connection(*place))",
    ],
)
def test_socket_elsewhere_is_refused(stage: Stage, listener: tuple[str, int], call: str) -> None:
    stage.python_step("0002_socket", f"import socket\nplace = {listener}\n{call}")
    told = stage.rehearse()
    assert told.one("refused")["what"] == "{}:{}".format(*listener)
    assert (told.code, told.one("failed")["during"]) == (1, "migrate")


def test_unix_socket_and_foreign_name_are_refused(stage: Stage, tmp_path: Path) -> None:
    stage.python_step(
        "0002_names",
        f"""
        import socket
        for attempt in (
            lambda: socket.socket(socket.AF_UNIX).connect("{tmp_path}/s"),
            lambda: socket.getaddrinfo("db.example.com", 5432),
            lambda: socket.gethostbyname("www.example.com"),
        ):
            try:
                attempt()
            except OSError as error:
                print(error)
        socket.gethostbyname(socket.gethostname())
        socket.getaddrinfo("127.0.0.1", 80)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert [one["what"] for one in told.all("refused")] == [f"{tmp_path}/s", "db.example.com:5432", "www.example.com"]
    assert told.printed.count("greenroom closed the way to ") == 3


def test_socket_to_the_copy_is_open(stage: Stage) -> None:
    address = stage.address
    stage.python_step("0002_copy", f'import socket\nsocket.create_connection(("localhost", {address.port})).close()')
    told = stage.rehearse(allowed=[["localhost", address.port]])
    assert told.code == 0, told.events[-1]


def test_driver_reaches_the_copy_and_no_other_database(stage: Stage) -> None:
    address = stage.address
    stage.python_step(
        "0002_driver",
        """
        import asyncio, os, psycopg
        own = {key: connection.get_connection_params()[key] for key in ("host", "port", "dbname", "user", "password")}
        psycopg.connect(**own).close()
        psycopg.Connection.connect("dbname=%(dbname)s" % own, **{**own, "dbname": None}).close()
        asyncio.run(psycopg.AsyncConnection.connect(**own))
        def environment(**words):
            os.environ.update(words)
            try:
                psycopg.connect(**{key: own[key] for key in own if key != "host"})
            finally:
                for word in words:
                    del os.environ[word]
        for attempt in (
            lambda: psycopg.connect(**{**own, "dbname": "postgres"}),
            lambda: psycopg.connect("postgresql://10.1.2.3/shop"),
            lambda: psycopg.Connection.connect(**{**own, "hostaddr": "10.1.2.4"}),
            lambda: asyncio.run(psycopg.AsyncConnection.connect(**{**own, "port": 1})),
            lambda: psycopg.connect("service=production"),
            lambda: environment(PGHOST=own["host"], PGHOSTADDR="10.1.2.5"),
        ):
            try:
                attempt()
            except OSError as error:
                print(error)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, (told.events[-1], told.printed)
    host, port, name = address.host, address.port, address.database
    assert [one["what"] for one in told.all("refused")] == [
        f"{host}:{port}/postgres",
        "10.1.2.3:5432/shop",
        f"10.1.2.4:{port}/{name}",
        f"{host}:1/{name}",
        "local socket:5432/",
        f"10.1.2.5:{port}/{name}",
    ]


def test_driver_is_closed_already_while_settings_are_imported(stage: Stage) -> None:
    line = 'import psycopg\npsycopg.connect("host=10.1.2.3 dbname=shop")\n'
    stage.write("settings.py", line + SETTINGS)
    told = stage.rehearse()
    assert told.names == ["refused", "failed"]
    assert told.one("failed")["message"] == (
        "The settings module settings cannot be imported: Refused: greenroom closed the way to 10.1.2.3:5432/shop"
    )


def test_forked_child_is_guarded_and_tells_nothing_twice(stage: Stage, listener: tuple[str, int]) -> None:
    stage.python_step(
        "0002_fork",
        f"""
        import os, socket
        for turn in range(3):
            list(Big.objects.filter(pk=turn))
            child = os.fork()
            if child == 0:
                try:
                    socket.create_connection({listener})
                except OSError:
                    os._exit(7)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert {one["what"] for one in told.all("refused")} == {"{}:{}".format(*listener)}
    assert [one["n"] for one in told.all("statement_start")] == [one["n"] for one in told.all("statement_end")]
    assert len({one["n"] for one in told.all("statement_start")}) == len(told.all("statement_start"))
