"""Copies, of dumps and beside their source: they keep what matters, and belong to whom they can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from greenroom import shell
from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.postgres import journal, lease
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.copy_sources import source, source18
from tests.integration.shop import PLANTED, ROWS, Shop, request
from tests.integration.sources import state

__all__ = ["source", "source18", "state"]
WAYS = ["restore", "copy", "template"]


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
