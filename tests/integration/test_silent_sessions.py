"""Sessions that are silent for as long as a copy takes: kept alive, and made anew where they were lost."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import branch
from greenroom.postgres.address import KEPT_ALIVE, Address
from greenroom.postgres.binaries import newest
from greenroom.postgres.children import psql
from greenroom.postgres.embedded import Server
from greenroom.postgres.holding import Held, held
from greenroom.postgres.lease import Lease
from greenroom.postgres.restoring import Target
from greenroom.postgres.server import connect
from tests.integration.bastion import needed
from tests.integration.copy_sources import source18
from tests.integration.network import BASTION, DB, Network, database, network
from tests.integration.shop import Shop, request
from tests.integration.sources import state

__all__ = ["source18", "state"]


class Doing(Silent):
    """Does something when the phase of these words begins."""

    def __init__(self, words: str, what: object) -> None:
        self.words, self.what = words, what

    def step(self, text: str) -> None:
        if self.words in text:
            assert callable(self.what)
            self.what()


def sessions_of(source: Shop, database: str) -> str:
    return f"FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{source.owner}'"


def ended(source: Shop, database: str) -> int:
    """How many sessions of ours were ended there: by nothing that they could have foreseen."""
    with connect(source.server.address) as admin:
        words = f"SELECT pg_terminate_backend(pid, 5000) {sessions_of(source, database)}"
        return len(admin.execute(words.encode()).fetchall())


def test_our_sessions_and_programs_keep_alive(server18: Server) -> None:
    with connect(server18.address) as connection:
        told = connection.info.get_parameters()
    assert told.items() >= KEPT_ALIVE.items()
    own = replace(server18.address, options={"keepalives_idle": "7", "tcp_user_timeout": "0"})
    with connect(own) as connection:
        told = connection.info.get_parameters()
    assert (told["keepalives_idle"], told["tcp_user_timeout"], told["keepalives_count"]) == ("7", "0", "3")
    words = " ".join(map(str, psql(server18.binaries, server18.address)))
    assert "keepalives_idle='30' keepalives_interval='10' keepalives_count='3' tcp_user_timeout='60000'" in words


def test_program_that_writes_lets_the_server_take_its_time(server18: Server) -> None:
    """Linux ends a connection whose other end takes nothing for so long, also where that end says that it lives."""
    restore = [str(word) for word in Target(server18.address, True, "here", 180000).words(server18.binaries)]
    assert "tcp_user_timeout='300000'" in restore[-1] and "keepalives_idle='30'" in restore[-1]
    own = replace(server18.address, options={"tcp_user_timeout": "5000"})
    assert "tcp_user_timeout='5000'" in Target(own, True, "here", 180000).words(server18.binaries)[-1]


def test_branch_is_finished_though_its_silent_session_was_ended(source18: Shop) -> None:
    before, lost = source18.state(), []
    doing = Doing("beside itself", lambda: lost.append(ended(source18, "postgres")))
    with acquire(request(url=source18.url()), doing) as copy:
        assert lost == [1], "the one that says CREATE DATABASE"
        assert not [note for note in copy.notes if "not applied" in note]
        with connect(copy.admin) as there, connect(source18.address) as here:
            assert branch.settings_of(there) == branch.settings_of(here)
            assert there.execute("SELECT count(*) FROM goods").fetchone() == (2000,)
    assert copy.dropped and source18.state() == before


@pytest.fixture
def copy(source18: Shop) -> Iterator[Held]:
    """An empty one."""
    terms, name = Lease.new(branch="fix", source="x", hours=1), f"{source18.address.database}__sure"
    with held(source18.address.at("postgres"), name, terms, keep=False) as made:
        branch.create_empty(made.connection, name, None, None)
        made.grant()
        yield made


def test_session_that_answers_is_used_again(copy: Held) -> None:
    first = copy.connection
    with copy.sure() as connection:
        assert connection is first


def test_session_that_cannot_be_made_anew_is_one_sentence(source18: Shop, copy: Held) -> None:
    limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format
    assert ended(source18, "postgres") == 1
    with connect(source18.server.address) as admin:
        admin.execute(limit(sql.Identifier(source18.owner), 0))
        with pytest.raises(GreenroomError, match="has no connection left for owner"):
            copy.sure().__enter__()
        admin.execute(limit(sql.Identifier(source18.owner), -1))


@contextmanager
def lost(source: Shop) -> Iterator[None]:
    """Whoever was connected is not any more."""
    assert ended(source, "postgres") == 1
    yield


def test_session_that_is_lost_at_the_very_end_is_one_sentence(source18: Shop, copy: Held) -> None:
    """And no list of settings that the role may not set."""
    settings = [(None, "work_mem", "4MB"), (None, "lock_timeout", "1s")]
    with pytest.raises(GreenroomError) as caught, copy.sure() as connection, lost(source18):
        branch.apply_settings(connection, copy.name, settings)
    assert str(caught.value) == (
        f"{copy.name} on {source18.address.server} was filled, and could not be given its settings and privileges "
        "(SQLSTATE 57P01).\n  Does the server still run, and is the VPN on? Then run again."
    )


@pytest.fixture(scope="module")
def lab() -> Iterator[Network]:
    needed(namespaces=True)
    with network() as made:
        yield made


@pytest.mark.full
def test_server_that_is_gone_without_a_word_ends_the_copy(
    lab: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cable is pulled while rows are on their way: nothing tells anybody that it is gone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    pulled: list[float] = []

    def pull() -> None:
        time.sleep(3)
        link(lab, "down")
        pulled.append(time.monotonic())

    with database(lab, newest(), tmp_path / "db") as address, lab.inside(BASTION):
        fill(address, megabytes=60)
        slow = "tc qdisc replace dev vdb root tbf rate 20mbit burst 64kb latency 50ms"
        subprocess.run([*lab.prefix(DB), *slow.split()], check=True)
        password = address.password
        assert password
        url = f"postgresql://postgres:{password.reveal()}@{address.host}:5432/postgres"
        cable = threading.Thread(target=pull)
        with pytest.raises(GreenroomError) as caught, acquire(request(url=url), Doing("beside itself", cable.start)):
            pass
        took = time.monotonic() - pulled[0]
        link(lab, "up")
        with connect(address) as connection:  # the server waits for all its sessions to end, and they for us
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert took < 100
    assert caught.value.sentence == (
        f"postgres on {address.server} went away, or takes no more connections, while public.goods was read."
    )


def link(lab: Network, state: str) -> None:
    subprocess.run(["ip", "-n", f"{lab.name}-{DB}", "link", "set", "vdb", state], check=True)


def fill(address: Address, *, megabytes: int) -> None:
    words = "CREATE TABLE goods AS SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, %s) n"
    with connect(address) as connection:
        connection.execute(words, [megabytes * 1000])
