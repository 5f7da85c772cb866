"""The agent's decisions that need no database: where it connects, what it lets through, how it reads a statement."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.rehearsal import agent
from greenroom.rehearsal.agent import guards
from greenroom.rehearsal.agent.events import Events, Refused
from greenroom.rehearsal.agent.failures import diagnosis
from greenroom.rehearsal.agent.guards import NetworkGuard
from greenroom.rehearsal.agent.operations import flatten
from greenroom.rehearsal.agent.settings import point_at_copy
from greenroom.rehearsal.agent.statements import Statement

ROOMS = sorted(Path(agent.__file__).parent.glob("*.py"))

REQUEST = {
    "database": {
        "host": "127.0.0.1",
        "port": 5433,
        "name": "copy",
        "user": "rehearser",
        "password": "pw",
        "options": {},
    }
}


def pointed(entry: dict[str, Any], **request: object) -> dict[str, Any]:
    return point_at_copy({"ENGINE": "django.db.backends.postgresql", **entry}, {**REQUEST, **request})


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """What imports name: packages, and rooms with their dot."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names.add("." * node.level + module if node.level else module.partition(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_room_is_python_3_8(room: Path) -> None:
    ast.parse(room.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_room_is_read_in_one_sitting(room: Path) -> None:
    assert len(room.read_text().splitlines()) <= 300


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_room_imports_at_its_top_the_standard_library_and_other_rooms(room: Path) -> None:
    """Neither Django nor a driver: the guards close the drivers before anything of the app is imported."""
    names = imported(ast.parse(room.read_text()).body)
    assert {name for name in names if not is_room(name)} <= sys.stdlib_module_names


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_room_imports_nothing_else_but_django_anywhere(room: Path) -> None:
    text = room.read_text()
    names = imported(ast.walk(ast.parse(text)))
    assert {name for name in names if not is_room(name)} <= {"django", *sys.stdlib_module_names}
    assert not re.search(r"(?:import|from|import_module\()\s*[\"']?greenroom\b", text)


def is_room(name: str) -> bool:
    return name.startswith(".") and name[1:] in {room.stem for room in ROOMS}


def test_no_room_is_called_like_a_module_of_the_standard_library() -> None:
    """Python imports a few of those before the agent takes its directory out of sys.path."""
    assert {"run", "watch"} <= {room.stem for room in ROOMS}
    assert not {room.stem for room in ROOMS} & sys.stdlib_module_names


def test_map_of_the_agent_names_every_room() -> None:
    named = re.findall(r"`(\w+)` ", agent.__doc__ or "")
    assert sorted(named) == [room.stem for room in ROOMS if room.stem != "__init__"]


def test_entry_is_pointed_at_the_copy_and_keeps_what_the_project_tunes() -> None:
    entry = pointed(
        {
            "NAME": "production",
            "HOST": "db.example.com",
            "CONN_MAX_AGE": 600,
            "ATOMIC_REQUESTS": True,
            "TEST": {"NAME": "test"},
            "OPTIONS": {"options": "-c lock_timeout=2s", "connect_timeout": 3, "pool": True},
        }
    )
    assert entry == {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": 5433,
        "NAME": "copy",
        "USER": "rehearser",
        "PASSWORD": "pw",
        "CONN_MAX_AGE": 600,
        "ATOMIC_REQUESTS": True,
        "TEST": {"NAME": "test"},
        "OPTIONS": {"options": "-c lock_timeout=2s", "connect_timeout": 3},
    }


def test_entry_forgets_every_other_way_to_say_where() -> None:
    words = dict.fromkeys("service passfile host hostaddr port dbname user password".split(), "elsewhere")
    assert pointed({"OPTIONS": {**words, "target_session_attrs": "any", "application_name": "app"}})["OPTIONS"] == {
        "application_name": "app"
    }


def test_entry_leaves_the_settings_own_dictionaries_alone() -> None:
    options = {"sslmode": "require"}
    pointed({"OPTIONS": options}, drop_sslmode=True, role="owner")
    assert options == {"sslmode": "require"}


def test_entry_of_the_project_itself_is_changed_only_where_asked() -> None:
    entry = {"NAME": "own", "HOST": "own-host", "OPTIONS": {"service": "own", "sslmode": "require"}}
    assert pointed(entry, database=None) == {"ENGINE": "django.db.backends.postgresql", **entry}


def test_tls_is_dropped_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    options = {
        "sslmode": "verify-full",
        "sslrootcert": "/ca",
        "sslcert": "/c",
        "sslkey": "/k",
        "channel_binding": "require",
    }
    assert pointed({"OPTIONS": {**options, "connect_timeout": 3}}, drop_sslmode=True)["OPTIONS"] == {
        "connect_timeout": 3
    }
    assert "PGSSLMODE" not in os.environ


def test_role_is_added_to_the_options_and_quoted() -> None:
    entry = pointed({"OPTIONS": {"options": "-c lock_timeout=2s", "assume_role": "boss"}}, role="own er\\x")
    assert entry["OPTIONS"] == {"options": "-c lock_timeout=2s -c role=own\\ er\\\\x"}


def test_options_of_the_copy_join_those_of_the_project() -> None:
    database = {**REQUEST["database"], "options": {"options": "-c geqo=off", "sslmode": "disable"}}
    entry = pointed({"OPTIONS": {"options": "-c lock_timeout=2s", "sslmode": "require"}}, database=database)
    assert entry["OPTIONS"] == {"options": "-c lock_timeout=2s -c geqo=off", "sslmode": "disable"}


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        ({"host": "h", "port": 1, "dbname": "d"}, {}, ("h", "", "1", "d", "")),
        ({}, {"PGHOST": "e", "PGDATABASE": "f"}, ("e", "", "5432", "f", "")),
        ({"host": "h", "user": "u"}, {"PGHOSTADDR": "10.0.0.1"}, ("h", "10.0.0.1", "5432", "u", "")),
        ({"service": "s"}, {"PGUSER": "v"}, ("", "", "5432", "v", "s")),
    ],
)
def test_endpoint_is_libpqs(
    monkeypatch: pytest.MonkeyPatch, words: dict[str, object], environment: dict[str, str], expected: tuple[str, ...]
) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert guards._endpoint(words) == expected


@pytest.fixture
def told(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]


@pytest.fixture
def events(tmp_path: Path) -> Events:
    return Events(os.open(tmp_path / "events", os.O_CREAT | os.O_WRONLY))


def test_refusal_is_told_once(events: Events, told: Callable[[], list[dict[str, Any]]]) -> None:
    for what in ("host:1", "host:1", "database alias other"):
        with pytest.raises(Refused):
            events.refuse(what)
    assert [(one["event"], one["what"]) for one in told()] == [
        ("refused", "host:1"),
        ("refused", "database alias other"),
    ]


def test_network_guard_knows_the_copy_by_name_address_and_socket(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards.socket, "getaddrinfo", lambda *_: [])
    guard = NetworkGuard(events, [("127.0.0.1", 5433), ("/run/pg", 5433)])
    for address in (
        ("127.0.0.1", 5433),
        ("127.0.0.1", 5433, 0, 0),
        "/run/pg/.s.PGSQL.5433",
        b"/run/pg/.s.PGSQL.5433",
        (0, 0),
        None,
    ):
        guard("socket.connect", (None, address))
    guard("open", ("/etc/passwd", "r", 0))
    for address in (("127.0.0.1", 5434), ("10.0.0.1", 5433), "/run/pg/.s.PGSQL.5432", ("::1", 5433, 0, 0)):
        with pytest.raises(Refused):
            guard("socket.connect", (None, address))


@pytest.mark.parametrize("host", [None, "", "localhost", "127.0.0.1", b"10.0.0.1", "::1", "copy-host"])
def test_network_guard_lets_names_pass_that_ask_nobody(events: Events, host: object, monkeypatch: Any) -> None:
    monkeypatch.setattr(guards.socket, "getaddrinfo", lambda *_: [])
    NetworkGuard(events, [("copy-host", 1)])("socket.getaddrinfo", (host, 80, 0, 0, 0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select 1", ("SELECT", "")),
        ("  -- why\n/* a\nb */ ALTER TABLE x", ("ALTER", "TABLE")),
        ("(SELECT 1)", ("SELECT", "")),
        (";ROLLBACK TO s1", ("ROLLBACK", "TO")),
        ("", ("", "")),
        ("-- nothing", ("", "")),
    ],
)
def test_statement_is_known_by_its_first_words(text: str, words: tuple[str, str]) -> None:
    assert statement(text).words == words


def statement(text: Any, name: str | None = None) -> Statement:
    cursor = SimpleNamespace(cursor=SimpleNamespace(name=name))
    return Statement(text, False, cursor, lambda: None)


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("SET lock_timeout = 0", True),
        ("COMMIT", True),
        ("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE x ADD y int", False),
        ("ALTER TABLE x ADD y int", False),
    ],
)
def test_control_is_told_from_what_django_puts_before_its_ddl(text: str, control: bool) -> None:
    assert statement(text).is_control is control


@pytest.mark.parametrize(
    ("text", "renames"),
    [
        ("ALTER TABLE a RENAME TO b", True),
        ("alter table a set  schema b", True),
        ("ALTER TABLE a ADD renamed int", False),
        ("SELECT 'RENAME'", False),
    ],
)
def test_renames_are_known(text: str, renames: bool) -> None:
    assert statement(text).renames is renames


def test_statement_may_be_bytes_or_unknown() -> None:
    assert statement(b"SELECT 1").text == "SELECT 1"
    assert statement(io.StringIO()).text == "/* SQL of type StringIO */"


def test_named_cursor_is_known() -> None:
    assert statement("SELECT 1", name="c1").keeps_a_cursor
    assert not statement("SELECT 1").keeps_a_cursor


def test_lease_is_the_comments_id() -> None:
    assert guards._lease_id('{"id": "a", "made_by": "b"}') == "a"
    assert [guards._lease_id(text) for text in (None, "", "words", "[]", "7")] == [None] * 5


def test_nested_operations_are_counted_on_their_own() -> None:
    inner = SimpleNamespace(database_operations=["b", "c"])
    outer = SimpleNamespace(database_operations=[inner, "d"])
    assert list(flatten(["a", outer, SimpleNamespace(database_operations=[]), "e"])) == ["a", "b", "c", "d", "e"]


def test_diagnosis_walks_to_the_drivers_exception() -> None:
    class DriverError(Exception):
        pgcode = "23505"
        diag = SimpleNamespace(table_name="t", column_name=None, constraint_name="c")

    error = ValueError("outer")
    error.__cause__ = DriverError("planted secret")
    assert diagnosis(error) == {"sqlstate": "23505", "table": "t", "column": None, "constraint": "c"}
    assert diagnosis(ValueError()) == {}
    loop = ValueError()
    loop.__cause__ = loop
    assert diagnosis(loop) == {}
