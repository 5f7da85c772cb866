"""What the agent does not let the app do: another database, another host, a customer's inbox, the standard output."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.integration.agent_stage import AGENT, SETTINGS, Stage, staged


@pytest.fixture
def stage(server18: Server, tmp_path: Path) -> Iterator[Stage]:
    with staged(server18, tmp_path) as found:
        yield found


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    """A host that nobody may reach: it would remember who came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_other_alias_is_closed(stage: Stage) -> None:
    stage.python_step("0002_other", 'connections["other"].ensure_connection()')
    told = stage.rehearse(allow_network=True)
    assert told.one("refused")["what"] == "database alias other"
    assert (told.code, told.one("failed")["exception"]) == (1, "Refused")


def test_refusal_says_what_was_closed(stage: Stage) -> None:
    stage.python_step(
        "0002_caught",
        """
        for attempt in range(2):
            try:
                connections["other"].cursor()
            except OSError as error:
                print(error)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0
    assert told.printed == "greenroom closed the database alias other\n" * 2
    assert len(told.all("refused")) == 1


@pytest.mark.parametrize("comment", ["", '{"id": "lease-of-somebody"}', "production, do not touch", "[1]"])
def test_database_without_the_lease_is_refused_before_anything_runs(stage: Stage, comment: str) -> None:
    stage.sql(f"COMMENT ON DATABASE {stage.name} IS '{comment}'")
    stage.sql(f"ALTER DATABASE {stage.name} SET log_statement = 'all'")
    stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
    stage.write("shop/apps.py", _READY.format("print('the app was imported')"))
    told = stage.rehearse()
    assert told.code == 1
    assert told.names == ["failed"]
    assert told.one("failed")["during"] == "guard"
    assert told.one("failed")["message"] == (
        f"The database {stage.name} does not bear the lease of this rehearsal, so nothing was run on it."
    )
    assert "imported" not in told.printed


_READY = """
from django.apps import AppConfig
class Shop(AppConfig):
    name = "shop"
    def ready(self):
        {}
"""


def test_lease_that_is_lost_on_the_way_ends_the_run_at_the_next_connection(stage: Stage) -> None:
    stage.python_step(
        "0002_lost",
        f"""
        editor.execute("COMMENT ON DATABASE {stage.name} IS 'mine now'")
        connection.close()
        try:
            editor.execute("ALTER TABLE shop_big ADD a int")
        except BaseException:
            print("the app goes on")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1], told.events[-1]["during"]) == (1, "failed", "guard")
    assert "goes on" not in told.printed


def test_mail_caches_and_tasks_stay_inside(stage: Stage) -> None:
    stage.python_step(
        "0002_mail",
        """
        from django.core import cache, mail
        assert mail.send_mail("hello", "body", "a@example.com", ["b@example.com"]) in (0, 1)
        cache.cache.set("key", 1)
        print(type(mail.get_connection()).__module__, type(cache.caches["default"]).__name__, cache.cache.get("key"))
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.printed == "django.core.mail.backends.dummy LocMemCache 1\n"
    assert told.all("refused") == []


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


def test_output_of_the_app_is_no_event_and_its_input_is_empty(stage: Stage) -> None:
    stage.write("settings.py", 'import os\nos.write(1, b"{}\\n")\nprint(\'{"event": "done"}\')\n' + SETTINGS)
    stage.python_step(
        "0002_noise",
        """
        import os, sys
        print('{"event": "done"}')
        sys.stdout.write("no newline")
        os.system("echo from a child")
        print("input:", repr(sys.stdin.read()))
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.names.count("done") == 1 and told.names[-1] == "done"
    for words in ("{}", "no newline", "from a child", "input: ''"):
        assert words in told.printed


@pytest.mark.parametrize("environment", [{}, {"PYTHONSAFEPATH": "1"}], ids=["as usual", "safe path"])
def test_directory_of_the_agent_is_no_place_to_import_from(stage: Stage, environment: dict[str, str]) -> None:
    """It holds modules named like others': events, run, session, settings; so does the directory around it."""
    stage.write("settings.py", "import sys\nprint('\\n'.join(sys.path))\n" + SETTINGS)
    stage.write("sql.py", "here = True")
    stage.write("events.py", "here = True")
    stage.python_step(
        "0002_import",
        """
        import events, importlib.util, sql, sys
        assert events.here and sql.here
        assert "greenroom" not in sys.modules
        assert importlib.util.find_spec("planner") is None
        """,
    )
    told = stage.rehearse(environment=environment)
    assert told.code == 0, told.events[-1]
    assert told.printed.splitlines()[0] == str(stage.directory)
    assert not {str(AGENT), str(AGENT.parent)} & set(told.printed.splitlines())


def test_exit_handlers_and_threads_of_the_app_do_not_hold_the_agent(stage: Stage) -> None:
    stage.python_step(
        "0002_stray",
        """
        import atexit, threading, time
        atexit.register(time.sleep, 60)
        threading.Thread(target=time.sleep, args=(60,)).start()
        """,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1]) == (0, "done")


def test_agent_without_a_listener_ends(stage: Stage) -> None:
    stage.python_step("0002_slow", "for n in range(1000):\n    editor.execute('SELECT pg_sleep(0.05)')")
    with stage.running() as process:
        assert process.stdin and process.stdout
        while json.loads(process.stdout.readline())["event"] != "plan":
            pass
        process.stdin.write('{"go": true}\n')
        process.stdin.flush()
        process.stdout.close()
        assert process.wait(10) == 1


def test_agent_without_a_request_ends_quietly() -> None:
    start_without_a_request(AGENT)


def test_agent_is_compiled_once_for_each_version_of_python(tmp_path: Path) -> None:
    agent = Path(shutil.copytree(AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__")))
    start_without_a_request(agent)
    compiled = {path.name.partition(".")[0] for path in agent.glob(f"__pycache__/*.{sys.implementation.cache_tag}.pyc")}
    assert compiled == {path.stem for path in AGENT.glob("*.py")}


def test_agent_runs_where_nothing_can_be_written(tmp_path: Path) -> None:
    agent = Path(shutil.copytree(AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__")))
    (agent / "__pycache__").write_text("in the way, even of root")
    start_without_a_request(agent)


def start_without_a_request(agent: Path) -> None:
    words = [sys.executable, str(agent)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env={}, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_role_and_timeouts_are_in_force(stage: Stage) -> None:
    role = 'the "owner" \\ of it'
    quoted = '"' + role.replace('"', '""') + '"'
    stage.sql(f"CREATE ROLE {quoted}")
    try:
        stage.sql(f"ALTER TABLE shop_big OWNER TO {quoted}; ALTER TABLE django_migrations OWNER TO {quoted}")
        stage.sql(f"GRANT ALL ON SCHEMA public TO {quoted}")
        stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
        told = stage.rehearse(role=role)
        assert told.code == 0, told.events[-1]
        assert (told.one("ready")["role"], told.one("ready")["lock_timeout"]) == (role, "2s")
    finally:
        stage.sql(f"DROP OWNED BY {quoted} CASCADE; DROP ROLE {quoted}")


def test_connections_of_threads_must_show_the_lease_too(stage: Stage) -> None:
    threads = threading.active_count()
    stage.python_step(
        "0002_thread",
        f"""
        import threading
        editor.execute("COMMENT ON DATABASE {stage.name} IS 'mine now'")
        thread = threading.Thread(target=lambda: connections["default"].ensure_connection())
        thread.start()
        thread.join()
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1], told.events[-1]["during"]) == (1, "failed", "guard")
    assert threading.active_count() == threads


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
