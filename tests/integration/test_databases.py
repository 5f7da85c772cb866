"""db-list, db-drop and db-reap, as a person calls them: what is ours is shown and dropped, and nothing else ever."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.postgres import journal, lease
from greenroom.postgres.embedded import embedded
from greenroom.postgres.server import connect
from tests.integration.shop import PLANTED, Shop, request, shop
from tests.integration.sources import source, state
from tests.integration.standing_copies import ROOT, configured, dead_pid, inv, made, stands, states, terms

pytestmark = pytest.mark.full

__all__ = ["source", "state"]


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
        made(source, f"{tag}__late", terms(hours=-1, machine="elsewhere")): "expired",
        made(source, f"{tag}__slow", terms(hours=-1)): "alive",
        made(source, f"{tag}__dead", terms(pid=dead_pid())): "creator died",
        made(source, f"{tag}__other", terms(pid=dead_pid(), machine="elsewhere")): "alive",
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


def test_one_that_cannot_be_dropped_does_not_keep_the_others(source: Shop) -> None:
    tag = source.address.database
    mine = [made(source, f"{tag}__{name}", terms(pid=dead_pid())) for name in ("a", "c")]
    theirs = f"{tag}__b"
    with connect(source.server.address) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(theirs)))
        lease.grant(admin, theirs, terms(pid=dead_pid()))
        reaped = inv("db-reap", "--url", str(source.address), "--yes")
        assert reaped.returncode == 2
        assert set(reaped.stdout.splitlines()[4:]) == {
            *(f"dropped {name}" for name in mine),
            f"{theirs} on {source.address.server} could not be dropped (SQLSTATE 42501).",
            f"  Its owner or a superuser can: --url postgresql://OWNER@{source.address.server}/postgres",
        }
        assert [name for name in (*mine, theirs) if stands(source, name)] == [theirs]
        lease.drop(admin, theirs)


def test_target_names_its_server_and_its_password(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = configured(source, tmp_path)
    monkeypatch.setenv("STAGING_PASSWORD", PLANTED)
    name = made(source, f"{source.address.database}__ours", terms(pid=dead_pid()))
    assert inv("db-list", cwd=project).stdout == "No copies stand.\n", "the journal knows nothing of it"
    listed = inv("db-list", "--target", "staging", password="wr0ng", cwd=project)
    assert states(listed.stdout) == {name: "creator died"}

    for words in (["--target", "production"], ["--target", "staging", "--url", "postgresql://x"]):
        assert inv("db-list", *words, cwd=project).returncode == 2
    assert inv("db-drop", "nix", "--target", "staging", cwd=project).returncode == 1
    assert inv("db-reap", "--target", "staging", "--yes", cwd=project).returncode == 0
    assert not stands(source, name)


def test_name_that_a_silent_server_may_have_is_no_answer(source: Shop) -> None:
    journal.write(replace(source.address.at("postgres"), port=1), "x", "abc")
    done = inv("db-drop", "x", "--yes")
    assert done.returncode == 2
    assert done.stderr.startswith("x was not found, and not everybody answered:\nno PostgreSQL server can be reached")


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
