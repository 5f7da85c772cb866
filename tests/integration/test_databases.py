"""db-list, db-drop and db-reap, as a person calls them: what is ours is shown and dropped, and nothing else ever."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.postgres import journal, lease
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.lease import Lease
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.server import connect
from greenroom.postgres.way import Way
from tests.integration.shop import PLANTED, Shop, request, shop

ROOT = Path(__file__).parents[2]
NO_ENGINE = "unix:///nonexistent/docker.sock"  # other tests have containers meanwhile
CREATING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"shop%%' AND state = 'active'"
COPYING = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from tests.integration.shop import request
raise_when_terminated()
with acquire(request(url=sys.argv[1], template=True), Silent()):
    pass
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


def inv(*words: str, password: str = PLANTED) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "greenroom", *words],
        cwd=ROOT,
        env={**os.environ, "PGPASSWORD": password, "DOCKER_HOST": NO_ENGINE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def stands(source: Shop, name: str) -> bool:
    with connect(source.server.address) as admin:
        row = admin.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name]).fetchone()
    return row == (True,)


def made(source: Shop, name: str, terms: Lease | None) -> str:
    with connect(source.address) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if terms:
            lease.grant(connection, name, terms)
    return name


def terms(hours: float = 1, **how: object) -> Lease:
    return replace(Lease.new(branch="fix", source="shop", hours=hours), **how)  # type: ignore[arg-type]


def fill(source: Shop) -> None:
    """Data enough that CREATE DATABASE ... TEMPLATE can be met in the middle."""
    with connect(source.address) as connection:
        connection.execute("CREATE TABLE big AS SELECT n, repeat('x', 900) AS filler FROM generate_series(1, 60000) n")


def dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def states(printed: str) -> dict[str, str]:
    """Name to state, of the table."""
    lines = [re.split(r"  +", line) for line in printed.splitlines()]
    return {cells[0]: cells[-1] for cells in lines[1:] if len(cells) > 2}


def test_list_shows_what_stands_without_url_and_with_it(source: Shop) -> None:
    with acquire(request(url=source.url()), Silent()) as copy:
        for words in (["db-list"], ["db-list", "--url", str(source.address)]):
            done = inv(*words)
            assert done.returncode == 0, done.stderr
            line = next(line for line in done.stdout.splitlines() if line.startswith(copy.name))
            assert re.search(rf"{re.escape(source.address.server)}  fix_it  \S+@\S+  .* MB  alive$", line)
    assert inv("db-list").stdout == "No copies stand.\n"


def test_list_and_reap_know_the_states(source: Shop) -> None:
    tag = source.address.database
    names = {
        made(source, f"{tag}__alive", terms()): "alive",
        made(source, f"{tag}__kept", terms(pid=dead_pid(), kept=True)): "kept",
        made(source, f"{tag}__expired", terms(hours=-1, kept=True)): "expired",
        made(source, f"{tag}__late", terms(hours=-1, by="me@elsewhere")): "expired",
        made(source, f"{tag}__slow", terms(hours=-1)): "alive",
        made(source, f"{tag}__dead", terms(pid=dead_pid())): "creator died",
        made(source, f"{tag}__other", terms(pid=dead_pid(), by="me@elsewhere")): "alive",
    }
    gone = {f"{tag}__expired", f"{tag}__late", f"{tag}__dead"}
    stranger = made(source, f"{tag}__stranger_abc123", None)
    url = ("--url", str(source.address))
    assert states(inv("db-list", *url).stdout) == names

    shown = inv("db-reap", *url, "--dry-run")
    assert (shown.returncode, set(states(shown.stdout))) == (0, gone)
    assert all(stands(source, name) for name in names)

    asked = inv("db-reap", *url)
    assert asked.returncode == 2
    assert asked.stderr == "nobody is there to ask.\n  Add --yes to do it, or --dry-run to only see it.\n"

    reaped = inv("db-reap", *url, "--yes")
    assert reaped.returncode == 0
    assert set(reaped.stdout.splitlines()[-3:]) == {f"dropped {name}" for name in gone}
    assert {name for name in [*names, stranger] if stands(source, name)} == {*names.keys() - gone, stranger}
    assert inv("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    with connect(source.server.address) as admin:
        for name in [*sorted(names.keys() - gone), stranger]:
            lease.drop(admin, name)


def test_drop_takes_one_and_refuses_what_is_not_ours(source: Shop) -> None:
    tag = source.address.database
    ours, stranger = made(source, f"{tag}__ours", terms()), made(source, f"{tag}__stranger", None)
    url = ("--url", str(source.address))
    for name in (stranger, tag, "postgres", "nix"):
        refused = inv("db-drop", name, *url, "--yes")
        assert refused.returncode == 1
        assert refused.stderr == (
            f"{name} bears no lease and stands in no journal of ours, so it is not dropped.\n"
            "  ./inv db-list shows what can be (with --url, on a server that our journal does not know).\n"
        )
    assert inv("db-drop", ours, *url, "--dry-run").returncode == 0
    assert stands(source, ours)
    done = inv("db-drop", ours, *url, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"dropped {ours}")
    assert not stands(source, ours) and stands(source, stranger)
    with connect(source.server.address) as admin:
        lease.drop(admin, stranger)


@pytest.mark.parametrize(("answer", "code", "gone"), [("y", 0, True), ("n", 1, False), ("", 1, False)])
def test_drop_asks_a_person(answer: str, code: int, gone: bool, source: Shop) -> None:
    name = made(source, f"{source.address.database}__ours", terms())
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "greenroom", "db-drop", name, "--url", str(source.address)],
        cwd=ROOT,
        env={**os.environ, "PGPASSWORD": PLANTED},
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        os.write(ours, f"{answer}\n".encode())
        printed, _ = child.communicate(timeout=30)
    os.close(ours), os.close(theirs)
    assert "Drop this copy? [y/N] " in printed
    assert (child.returncode, stands(source, name)) == (code, not gone)
    with connect(source.server.address) as admin:
        lease.drop(admin, name)


def test_drop_by_an_ordinary_role_ends_an_autovacuum_worker_too() -> None:
    with embedded(settings={"autovacuum_naptime": "1s"}) as server, shop(server) as source:
        server.durable()
        name = made(source, lease.copy_name("shop", "busy"), terms())
        with connect(source.address.at(name)) as session:
            session.execute("CREATE TABLE slow AS SELECT n FROM generate_series(1, 300000) AS n")
            session.execute(
                "ALTER TABLE slow SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
            )
            session.execute("UPDATE slow SET n = 0")  # told to autovacuum when the session ends
        wait_for_autovacuum(source, name)
        with connect(source.address.at(name)), connect(source.address) as connection:
            lease.drop(connection, name)
        assert not stands(source, name)


def wait_for_autovacuum(source: Shop, database: str) -> None:
    worker = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = %s"
    with connect(source.server.address) as admin:
        deadline = time.monotonic() + 30
        while not admin.execute(worker, [database]).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_client_killed_in_create_database_is_found_by_its_intent(source: Shop) -> None:
    fill(source)
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be killed in the middle"
        child.kill()
        child.wait()
        ((_, intent),) = journal.intents()
        assert admin.execute(CREATING, []).fetchone() == (1,), "the session ended with its client"
        assert not standing_on(Way(source.admin))[-1].to_be_reaped, "it is still being made"
        deadline = time.monotonic() + 30
        while not stands(source, intent.database) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert child.returncode == -signal.SIGKILL
    assert states(inv("db-list").stdout) == {intent.database: "no lease, creator died"}
    assert inv("db-reap", "--dry-run").returncode == 0 and stands(source, intent.database)
    assert inv("db-reap", "--yes").returncode == 0
    assert not stands(source, intent.database)
    assert journal.intents() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_create_database_leaves_no_database(number: signal.Signals, source: Shop) -> None:
    """The session is cancelled and waited for: what it makes must be there before it can be dropped."""
    fill(source)
    before = source.state()
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be interrupted in the middle"
        child.send_signal(number)
        child.wait(30)
    assert source.state() == before
    assert journal.intents() == []


def test_intent_without_a_database_is_forgotten(source: Shop) -> None:
    path = journal.write(source.address.at("postgres"), "shop_never_made", "abc")
    assert states(inv("db-list").stdout) == {"shop_never_made": "being made"}
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {dead_pid()}'))
    assert states(inv("db-list").stdout) == {"shop_never_made": "never made"}
    assert inv("db-reap", "--yes").returncode == 0
    assert journal.intents() == []


def test_unreachable_server_of_the_journal_is_said_with_the_way_to_forget_it(source: Shop) -> None:
    path = journal.write(replace(source.address.at("postgres"), port=1), "x", "abc")
    done = inv("db-list")
    assert done.returncode == 2
    assert done.stdout.splitlines()[1:] == [
        "no PostgreSQL server can be reached at 127.0.0.1:1 (5 s): Connection refused.",
        "  Check host and port, and that the server runs and listens there; is a VPN or an SSH tunnel missing?",
        f"  Is it gone for good? Then forget it: rm {path}",
    ]


def test_wrong_password_and_bad_url_exit_2(source: Shop) -> None:
    done = inv("db-list", "--url", str(source.address), password="wr0ng")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{source.address.server} refuses {source.owner}: the password is wrong.")
    assert inv("db-list", "--url", "shop").returncode == 2
