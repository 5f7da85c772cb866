"""Copies, of dumps and beside their source: they keep what matters, and leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from greenroom import shell
from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import journal, lease
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.shop import PLANTED, ROWS, Shop, request, shop

WAYS = ["restore", "copy", "template"]

# acquires a copy of the URL in its first argument, says so, and waits
HOLDER = """
import sys, time
from greenroom.interrupts import raise_when_terminated
from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from tests.integration.shop import request
raise_when_terminated()
with acquire(request(url=sys.argv[1]), Silent()) as copy:
    print(copy.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def source(server: Server) -> Iterator[Shop]:
    with shop(server) as made:
        yield made


@pytest.fixture
def source18(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


def wanted(way: str, source: Shop, tmp_path: Path) -> CopyRequest:
    if way == "restore":
        return request(dump=source.dump(tmp_path / "shop.dump"))
    return request(url=source.url(), template=way == "template")


def kept(copy: Acquired, source: Shop) -> dict[str, object]:
    """What the copy has of its source, as its migrating session sees it."""
    with psycopg.connect(**copy.address.parameters) as connection:

        def one(query: str) -> object:
            row = connection.execute(query.encode()).fetchone()
            return row[0] if row and len(row) == 1 else row

        return {
            "user": one("SELECT current_user"),
            "superuser": one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"),
            "rows": one("SELECT count(*) FROM goods"),
            "owner": one("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'goods'"),
            "odd owner": one("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'odd'"),
            "database owner": one("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"),
            "reader": one(f"SELECT has_table_privilege('{source.reader}', 'goods', 'SELECT')"),
            "reader connects": one(
                f"SELECT datacl::text LIKE '%{source.reader}=c/%' FROM pg_database WHERE datname = current_database()"
            ),
            "comment": one("SELECT obj_description('goods'::regclass)"),
            "timezone": one("SELECT current_setting('TimeZone')"),
            "lock_timeout": one("SELECT current_setting('lock_timeout')"),
            "search_path": one("SELECT current_setting('search_path')"),
            "analysed": one("SELECT reltuples::int FROM pg_class WHERE relname = 'goods'"),
        }


@pytest.mark.parametrize("way", WAYS)
def test_copy_keeps_what_matters_and_is_dropped(way: str, source: Shop, tmp_path: Path) -> None:
    before = source.state()
    if way != "restore":
        with connect(source.admin) as connection:
            connection.execute("ANALYZE")
    with acquire(wanted(way, source, tmp_path), Silent()) as copy:
        found = kept(copy, source)
        assert not copy.dropped and copy.seconds > 0 and copy.size_bytes > 7_000_000
        assert copy.method == way and copy.name.startswith(f"{source.address.database}__fix_it_")
        with connect(copy.admin) as connection:
            comment = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
            ).fetchone()
    odd_owner = source.owner if way == "copy" else source.odd  # its user may not act for the odd role
    assert found == {
        "user": source.owner,
        "superuser": False,
        "rows": ROWS,
        "owner": source.owner,
        "odd owner": odd_owner,
        "database owner": source.owner,
        "reader": way != "copy",
        "reader connects": True,
        "comment": "what is sold",
        "timezone": "Europe/Berlin",
        "lock_timeout": "2s",
        "search_path": '"$user", public, "a b"',
        "analysed": ROWS,
    }
    held = lease.Lease.read(comment[0] if comment else None)
    assert held and held.id == copy.lease_id and held.branch == "fix_it" and not held.expired
    assert copy.dropped
    assert source.state() == before
    assert journal.intents() == []


@pytest.mark.parametrize("way", [*WAYS, "restore on its server"])
def test_subscription_stays_behind(way: str, source: Shop, tmp_path: Path) -> None:
    """A copy must receive nothing; and with one it could not be dropped from a server that was given."""
    note = "not copied: the subscription theirs, so that the copy receives nothing"
    with source.subscribed():
        asked = wanted(way.partition(" on ")[0], source, tmp_path)
        if way == "restore on its server":
            asked = replace(asked, server=source.url(source.admin))
    with source.subscribed(), acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        mine = "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = %s"
        assert connection.execute(mine, [copy.name]).fetchall() == []
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        assert note in copy.notes
    assert copy.dropped


def test_superuser_copies_every_owner_and_becomes_the_one_that_migrates(source: Shop) -> None:
    with acquire(request(url=source.url(source.admin)), Silent()) as copy:
        found = kept(copy, source)
        assert copy.role == source.owner
        user, owner = source.admin.user, source.owner
        assert copy.notes == [f"{user} becomes {owner} by SET ROLE: settings of ALTER ROLE {owner} do not apply"]
    assert (found["user"], found["owner"], found["odd owner"], found["reader"]) == (
        source.owner,
        source.owner,
        source.odd,
        True,
    )


@pytest.mark.parametrize("options", [[], ["-Fd"]])
def test_dump_copy_runs_on_the_sources_major_version(options: list[str], source: Shop, tmp_path: Path) -> None:
    dump = source.dump(tmp_path / "shop", *options)
    with acquire(request(dump=dump), Silent()) as copy:
        assert copy.kind == "dump copy" and copy.label == "embedded" and copy.own_server
        assert copy.facts.major == source.server.version_num // 10000
        assert copy.facts.settings["fsync"] == "on"
        assert copy.source_facts and copy.source_facts.major == copy.facts.major


def test_dump_on_a_given_server_brings_stand_in_roles_and_takes_them_away(
    source18: Shop, server18: Server, tmp_path: Path
) -> None:
    dump, owner = source18.dump(tmp_path / "shop.dump"), source18.owner
    with connect(server18.address) as admin:
        admin.execute(f"ALTER ROLE {owner} RENAME TO {owner}_elsewhere".encode())
        before = admin.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
        try:
            with acquire(request(dump=dump, server=source18.url(server18.address)), Silent()) as copy:
                assert copy.role == source18.owner
                found = kept(copy, source18)
            after = admin.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
        finally:
            admin.execute(f"ALTER ROLE {owner}_elsewhere RENAME TO {owner}".encode())
    assert (found["user"], found["owner"], found["reader"]) == (source18.owner, source18.owner, True)
    assert after == before and copy.dropped


def test_dump_on_a_given_server_by_an_ordinary_role_belongs_to_it(source18: Shop, tmp_path: Path) -> None:
    dump = source18.dump(tmp_path / "shop.dump")
    with acquire(request(dump=dump, server=source18.url()), Silent()) as copy:
        found = kept(copy, source18)
    assert (found["user"], found["owner"], found["odd owner"]) == (source18.owner,) * 3
    assert copy.notes[0] == (
        f"{source18.owner} may not act for every role that owns something in the source: restored without owners and "
        "privileges, so everything belongs to it; a superuser can change that: "
        f'GRANT "{source18.odd}" TO "{source18.owner}"'
    )


@pytest.mark.parametrize("way", ["copy", "restore"])
def test_what_an_ordinary_role_is_told_to_ask_for_helps(source18: Shop, tmp_path: Path, way: str) -> None:
    asked = (
        {"url": source18.url()} if way == "copy" else {"dump": source18.dump(tmp_path / "x"), "server": source18.url()}
    )
    with acquire(request(**asked), Silent()) as copy:
        told = next(note for note in copy.notes if "a superuser can change that: " in note)
    with connect(source18.admin) as admin:
        admin.execute(told.rpartition("a superuser can change that: ")[2].encode())
    with acquire(request(**asked), Silent()) as copy:
        assert kept(copy, source18)["odd owner"] == source18.odd
        assert not any("may not act for every" in note for note in copy.notes)


def test_template_with_somebody_connected_is_refused_and_disconnects_nobody(source18: Shop) -> None:
    before = source18.state()
    with connect(source18.admin) as other:
        with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url(), template=True), Silent()):
            pass
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert str(caught.value) == (
        f"others are connected to {source18.address.database}, and a copy by TEMPLATE needs it to itself; "
        "nobody was disconnected.\n  Leave --template out: then the rows are copied while others work there."
    )
    assert source18.state() == before and journal.intents() == []


def test_role_that_may_not_create_databases_is_told(source18: Shop) -> None:
    with connect(source18.admin) as admin:
        admin.execute(f"ALTER ROLE {source18.owner} NOCREATEDB".encode())
    with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url()), Silent()):
        pass
    where = source18.address.server
    assert str(caught.value).startswith(f"{source18.owner} may not create a database ")
    assert str(caught.value).endswith(
        f"on {where}.\n  Ask for it: ALTER ROLE {source18.owner} CREATEDB, and membership in the source's owner."
    )
    assert journal.intents() == []


def test_role_that_may_not_read_is_told_which_table(source18: Shop) -> None:
    with connect(source18.admin) as admin:
        admin.execute("CREATE TABLE hidden (id int)")
    with pytest.raises(GreenroomError) as caught, acquire(request(url=source18.url()), Silent()):
        pass
    name, where = source18.address.database, source18.address.server
    assert caught.value.sentence == f"{source18.owner} may not read public.hidden of {name} on {where}."
    assert journal.intents() == []


def test_keep_leaves_the_copy_with_its_lease(source18: Shop) -> None:
    with acquire(replace(request(url=source18.url()), keep=True), Silent()) as copy:
        pass
    assert not copy.dropped
    with connect(source18.server.address) as admin:
        (found,) = [standing for standing in lease.leased(admin) if standing.name == copy.name]
        assert found.lease.kept and not found.lease.abandoned
        lease.drop(admin, copy.name)
    assert [intent.database for _, intent in journal.intents()] == [copy.name]


def test_keep_without_a_source_is_refused() -> None:
    with pytest.raises(GreenroomError) as caught, acquire(request(keep=True), Silent()):
        pass
    assert caught.value.sentence == "--keep keeps a copy of your data, and the demo's is made anew at any time."


def test_failed_rehearsal_drops_the_copy(source18: Shop) -> None:
    before = source18.state()
    with pytest.raises(ZeroDivisionError), acquire(request(url=source18.url()), Silent()):
        _ = 1 / 0
    assert source18.state() == before and journal.intents() == []


def test_two_at_once_do_not_meet(source18: Shop) -> None:
    before = source18.state()
    names: list[str] = []
    together = threading.Barrier(2, timeout=60)

    def one() -> None:
        with acquire(request(url=source18.url()), Silent()) as copy:
            together.wait()
            names.append(copy.name)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(names)) == 2
    assert source18.state() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drops_the_copy(number: signal.Signals, source18: Shop) -> None:
    before = source18.state()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, source18.url()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout and child.stdout.readline().startswith(source18.address.database)
    child.send_signal(number)
    child.communicate(timeout=30)
    assert source18.state() == before and journal.intents() == []


def test_dropped_under_our_feet_is_no_failure(source18: Shop) -> None:
    with acquire(request(url=source18.url()), Silent()) as copy, connect(source18.server.address) as admin:
        lease.drop(admin, copy.name)
    assert copy.dropped


def test_copy_that_cannot_be_dropped_is_said_with_the_command(
    source18: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    with acquire(request(url=source18.url()), Silent()) as copy, connect(source18.server.address) as admin:
        admin.execute(f'ALTER DATABASE "{copy.name}" OWNER TO "{source18.odd}"'.encode())
    left = (
        f"the copy {copy.name} on {source18.address.server} could not be dropped and was left behind; "
        f"remove it with: ./inv db-drop {copy.name} --url {source18.address.at('postgres')}"
    )
    assert capsys.readouterr().err == left + "\n"
    assert not copy.dropped and copy.notes[-1] == left
    with connect(source18.server.address) as admin:
        lease.drop(admin, copy.name)


def test_url_with_a_wrong_password_touches_nothing(source18: Shop) -> None:
    wrong = source18.url(replace(source18.address, password=Secret("wr0ng-s3cret")))
    with pytest.raises(GreenroomError) as caught, acquire(request(url=wrong), Silent()):
        pass
    assert "wr0ng-s3cret" not in str(caught.value) and PLANTED not in str(caught.value)
    assert journal.intents() == []


def test_password_from_the_environment(source18: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PLANTED)
    bare: Address = replace(source18.address, password=None)
    with acquire(request(url=str(bare)), Silent()) as copy, connect(copy.address) as connection:
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
    assert copy.dropped


def test_source_is_dumped_read_only_and_no_argv_holds_a_password(
    source18: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    real = shell.spawn

    def noting(words: Sequence[str | Path], **how: Any) -> shell.Popen[bytes]:
        started.append([str(word) for word in words])
        return real(words, **how)

    monkeypatch.setattr(shell, "spawn", noting)
    with acquire(request(url=source18.url()), Silent()):
        pass
    (dump,) = [words for words in started if any(word.endswith("/pg_dump") for word in words)]
    assert "options='-c default_transaction_read_only=on'" in dump[-1]
    assert len(started) >= 2 and PLANTED not in str(started)
