"""A role with timeouts, that only reads by default: that is for the migration, not for our sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom import config as configuration
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect, facts
from tests.integration.shop import PLANTED, Shop, shop

pytestmark = pytest.mark.full

STRICT = {
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "90s",
    "idle_session_timeout": "300ms",
    "lock_timeout": "1ms",
    "statement_timeout": "50ms",
}
BIG = 300_000  # rows: to copy, index and mask them takes longer than STRICT lets a statement take


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)


@pytest.fixture(params=["server18", pytest.param("server15", marks=pytest.mark.full)])
def source(request: pytest.FixtureRequest) -> Iterator[Shop]:
    server: Server = request.getfixturevalue(request.param)
    strict = STRICT | ({"transaction_timeout": "50ms"} if server.version_num >= 170000 else {})
    with shop(server) as made, connect(made.admin) as admin:
        admin.execute("CREATE TABLE wide AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, %s) n", [BIG])
        admin.execute(f"ALTER TABLE wide ADD PRIMARY KEY (id), OWNER TO {made.owner}".encode())
        for name, value in strict.items():
            admin.execute(f"ALTER ROLE {made.owner} SET {name} = '{value}'".encode())
        yield made


@pytest.mark.parametrize("masks", [{}, {"wide.note": "text"}], ids=["as it is", "masked"])
@pytest.mark.parametrize("where", ["here", "remote", "server"])
def test_role_with_timeouts_that_only_reads(source: Shop, where: str, masks: dict[str, str]) -> None:
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", "masks": masks}
    config = configuration.parse({"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}, Path.cwd())
    hows: dict[str, dict[str, object]] = {"here": {}, "remote": {"remote": True}, "server": {"server": source.url()}}
    asked = CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", **hows[where])  # type: ignore[arg-type]
    with acquire(asked, Silent()) as copy:
        with psycopg.connect(**copy.address.parameters, autocommit=True) as migrating:
            assert migrating.execute("SHOW statement_timeout").fetchone() == ("50ms",)
        with connect(copy.admin) as admin:
            assert admin.execute("SELECT count(*) FROM wide").fetchone() == (BIG,)
        told = any(note.startswith(f"{source.owner} only reads unless told otherwise") for note in copy.notes)
        assert told
        assert copy.source_facts and copy.source_facts.settings["statement_timeout"] == "50ms"
        assert copy.facts.settings["lock_timeout"] == copy.source_facts.settings["lock_timeout"]
    assert copy.dropped


def rehearsing(source: Shop, **more: object) -> CopyRequest:
    """A copy here, for a target that another role reads."""
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": source.reader}
    config = configuration.parse(
        {"databases": {"staging": table | {"password_variable": "SHOP_PASSWORD"}}, "snapshots": {"limit_gb": 0}},
        Path.cwd(),
    )
    return CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", **more)  # type: ignore[arg-type]


def test_copy_has_the_settings_of_the_role_that_migrates_and_not_of_the_one_that_reads(source: Shop) -> None:
    """Also of ALTER ROLE: a search_path decides which tables a migration finds."""
    with connect(source.admin) as admin:
        admin.execute(f"ALTER ROLE {source.reader} LOGIN PASSWORD '{PLANTED}'".encode())
        admin.execute(f"GRANT pg_read_all_data TO {source.reader}".encode())
        for name, value in {"statement_timeout": "7s", "work_mem": "7MB"}.items():
            admin.execute(f"ALTER ROLE {source.reader} SET {name} = '{value}'".encode())
        admin.execute(f"ALTER ROLE {source.owner} SET search_path = 'app', \"My Own\"".encode())
        admin.execute(f"ALTER ROLE {source.owner} SET enable_hashjoin = off".encode())
        admin.execute(f"ALTER ROLE {source.owner} SET session_preload_libraries = 'not_here'".encode())
        admin.execute(f"ALTER DATABASE {source.address.database} SET random_page_cost = 1.1".encode())
    with acquire(rehearsing(source), Silent()) as copy:
        with psycopg.connect(**copy.address.parameters, autocommit=True) as migrating:

            def shown(name: str) -> str:
                return str(migrating.execute(f"SELECT reset_val FROM pg_settings WHERE name = '{name}'").fetchone()[0])  # type: ignore[index]

            assert (shown("statement_timeout"), shown("idle_in_transaction_session_timeout")) == ("50", "90000")
            assert (shown("search_path"), shown("enable_hashjoin")) == ('app, "My Own"', "off")
            assert shown("random_page_cost") == "1.1"
            assert shown("work_mem") != "7168"
        assert copy.source_facts and copy.source_facts.settings["statement_timeout"] == "50ms"
        assert "work_mem" not in copy.source_facts.settings
        assert (
            f"not as on the source: work_mem ({source.reader} has its own, and the server's are not known to it)"
            in copy.notes
        )
        assert f"not applied to the copy: session_preload_libraries of {source.owner}" in copy.notes


def test_time_that_a_transaction_may_take_is_the_servers(server18: Server) -> None:
    with shop(server18) as source:
        with connect(source.admin) as admin:
            admin.execute("ALTER SYSTEM SET transaction_timeout = '90s'")
            admin.execute("ALTER SYSTEM SET max_parallel_workers_per_gather = 0")
            admin.execute("SELECT pg_reload_conf()")
        try:
            with connect(source.admin) as admin:
                admin.execute(f"ALTER ROLE {source.reader} LOGIN PASSWORD '{PLANTED}'".encode())
                admin.execute(f"GRANT pg_read_all_data TO {source.reader}".encode())
            with acquire(rehearsing(source), Silent()) as copy, psycopg.connect(**copy.address.parameters) as migrating:
                assert migrating.execute("SHOW transaction_timeout").fetchone() == ("90s",)
                assert migrating.execute("SHOW max_parallel_workers_per_gather").fetchone() == ("0",)
        finally:
            with connect(source.admin) as admin:
                admin.execute("ALTER SYSTEM RESET ALL")
                admin.execute("SELECT pg_reload_conf()")


def test_facts_are_the_roles_and_the_session_is_free_of_them(source: Shop) -> None:
    with connect(source.address) as connection:
        told = facts(connection).settings
        assert told["statement_timeout"] == "50ms"
        assert told["idle_in_transaction_session_timeout"] == "90s"
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        connection.execute("SELECT pg_sleep(0.4)")
        connection.execute("CREATE TABLE written (n int)")
    with connect(source.address, read_only=True) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("CREATE TABLE written (n int)")
