"""Servers that are kept: they outlive their task whatever ends it, are listed, and are dropped without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import cluster, kept
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.kept import Kept, Record
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import CannotConnect, connect
from greenroom.secret import Secret
from tests.integration.server_holder import gone, hold, until

pytestmark = pytest.mark.full

NAME = "shop__fix_1a2b3c"
# keeps a server with a row in it, prints where it is, and waits; how it ends is the test's business
KEEPER = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.postgres import kept
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import embedded
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect
raise_when_terminated()
with embedded(binaries=of_major(int(sys.argv[1]))) as server:
    with connect(server.address) as connection:
        connection.execute("CREATE TABLE goods AS SELECT 7 AS n")
    server.durable()
    terms = Lease.new(branch="fix", source="x", hours=1, kept=True)
    password = server.address.password.reveal()
    kept.keep(server, "shop__fix_1a2b3c", terms, {"DATABASE_PASSWORD": password, "ODD": "it's $1"})
    print(server.address.port, password, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Directories of the test's own; whatever it kept is dropped."""
    for name in ("TMPDIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    yield tmp_path
    for record in kept.records():
        kept.drop(record)


def terms(hours: float = 1) -> Lease:
    return Lease.new(branch="fix", source="x", hours=hours, kept=True)


def keep_one(server: Server, lease: Lease | None = None) -> Kept:
    return kept.keep(server, NAME, lease or terms(), {})


def the_record() -> Record:
    (record,) = kept.records()
    return record


def answers(address: Address) -> bool:
    try:
        connect(address).close()
    except CannotConnect:
        return False
    return True


def pid_of(record: Record) -> int:
    return int(Path(record.place, "data", "postmaster.pid").read_text().split()[0])


def keeper(major: int = 18) -> tuple[subprocess.Popen[str], Address]:
    """In a session of its own, as a terminal's is, so that a signal can be sent to all of it."""
    child = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(major)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert child.stdout
    port, password = child.stdout.readline().split()
    return child, Address("127.0.0.1", int(port), "postgres", cluster.SUPERUSER, Secret(password))


@pytest.mark.parametrize(
    ("major", "number"),
    [
        pytest.param(15, None, marks=pytest.mark.full),
        (18, None),
        (18, signal.SIGINT),
        pytest.param(18, signal.SIGTERM, marks=pytest.mark.full),
        pytest.param(18, signal.SIGHUP, marks=pytest.mark.full),
        (18, signal.SIGKILL),
    ],
)
def test_kept_server_outlives_its_task_whatever_ends_it(major: int, number: int | None, home: Path) -> None:
    child, address = keeper(major)
    if number is not None:
        os.killpg(child.pid, number)
    child.communicate(timeout=20)
    with embedded():  # the next one, which removes what is abandoned
        pass

    with connect(address) as connection:
        assert connection.execute("SELECT n FROM goods").fetchone() == (7,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    (found,) = kept.standing()
    assert (found.kind, found.name, found.where, found.state, found.to_be_reaped, found.exists) == (
        "server",
        NAME,
        address.server,
        "kept",
        False,
        True,
    )
    assert found.size_bytes > 10_000_000
    record = the_record()
    pid = pid_of(record)
    assert os.getsid(pid) != child.pid
    for path, secret in (("server.json", False), ("environment", True)):
        file = record.home / path
        assert (file.stat().st_mode & 0o777, address.password.reveal() in file.read_text()) == (0o600, secret)  # type: ignore[union-attr]

    found.drop()
    assert until(lambda: gone(pid)) and not answers(address)
    assert kept.standing() == [] and not record.home.exists()
    assert list(home.glob("greenroom-*/*")) == []


def test_environment_is_read_by_a_shell() -> None:
    child, _ = keeper()
    child.communicate(timeout=20)
    words = ["sh", "-c", '. "$1"; printf %s "$ODD"', "-", str(the_record().home / "environment")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "it's $1"


def test_server_that_was_stopped_is_listed_and_dropped() -> None:
    with embedded() as server:
        keep_one(server)
        address = server.address
    record = the_record()
    os.kill(pid_of(record), signal.SIGINT)
    assert until(lambda: not record.running)
    (found,) = kept.standing()
    assert (found.state, found.to_be_reaped, found.exists) == ("stopped", False, True)
    found.drop()
    assert kept.standing() == [] and not answers(address)


def test_number_of_a_stopped_server_may_be_another_process_by_now() -> None:
    with embedded() as server:
        keep_one(server)
    record = the_record()
    os.kill(pid_of(record), signal.SIGINT)
    assert until(lambda: not record.running)
    with subprocess.Popen(["sleep", "60"]) as other:  # as after a reboot
        Path(record.place, "data", "postmaster.pid").write_text(f"{other.pid}\n")
        assert the_record().state == "stopped"
        kept.drop(record)
        assert other.poll() is None
        other.kill()


def test_lease_that_is_over_is_to_be_reaped() -> None:
    with embedded() as server:
        keep_one(server, terms(hours=-1))
    (found,) = kept.standing()
    assert (found.state, found.to_be_reaped) == ("expired", True)


def test_files_that_are_gone_are_to_be_reaped() -> None:
    with embedded() as server:
        keep_one(server)
    record = the_record()
    os.kill(pid_of(record), signal.SIGINT)
    assert until(lambda: not record.running)
    cluster.remove(Path(record.place))
    (found,) = kept.standing()
    assert (found.state, found.to_be_reaped, found.exists) == ("its files are gone", True, False)
    found.drop()
    assert kept.standing() == []


def test_what_could_not_be_kept_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_postmaster: object) -> None:
        raise GreenroomError("no.")

    monkeypatch.setattr(kept, "_start", refuse)
    with pytest.raises(GreenroomError), embedded() as server:
        keep_one(server)
    assert kept.standing() == []
    assert list(home.glob("greenroom-*/*")) == []


def test_keeper_that_was_killed_over_it_is_to_be_reaped(home: Path) -> None:
    """After the directory was moved, before the server was started: as SIGKILL leaves it."""
    child, pid, private = hold(home)
    child.kill()
    child.communicate()
    assert until(lambda: gone(pid))
    lease = replace(terms(), pid=child.pid, made="2020-01-01T00:00:00+00:00")
    record = Record(NAME, 20_000, str(private.with_name(f"kept-{lease.id}")), lease)
    record.write()
    private.rename(record.place)

    with embedded():
        pass
    (found,) = kept.standing()
    assert (found.state, found.to_be_reaped, found.exists) == ("creator died", True, True)
    found.drop()
    assert kept.standing() == [] and list(home.glob("greenroom-*/*")) == []


@pytest.mark.parametrize("name", ["d" * 100, "one,two", 'it\'s "$(mine)" `ü` %d'])
def test_server_of_an_odd_path_is_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A long one and one with a comma have their socket elsewhere; what a shell would run is run by none."""
    (odd := tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(odd))
    with embedded(binaries=of_major(18)) as server:
        sockets = cluster.socket_directory(server.data.parent)
        keep_one(server)
    assert answers(server.address) and the_record().running
    kept.drop(the_record())
    assert not sockets.exists() and not answers(server.address) and list(odd.glob("greenroom-*/*")) == []


def test_damaged_records_are_passed_over() -> None:
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"name": "x"}')):
        (kept.directory() / name).mkdir(parents=True)
        (kept.directory() / name / "server.json").write_text(text)
    assert kept.standing() == []
