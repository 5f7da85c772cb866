"""Targets: pulled here (LOCAL) and branched on their own server (REMOTE), and what is refused before anything."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import inventory, kept
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from tests.integration.shop import PLANTED, ROWS, Shop, shop
from tests.integration.sources import source
from tests.integration.staging import Heard, is_whole, places, wanted

pytestmark = pytest.mark.full

__all__ = ["places", "source"]


def test_pull_restores_here_and_drops(source: Shop) -> None:
    before = source.state()
    with acquire(wanted(source), Silent()) as copy:
        is_whole(copy, source)
        assert (copy.kind, copy.method, copy.own_server) == ("dump copy", "copy", True)
        assert copy.source_facts and copy.facts.settings["TimeZone"] == copy.source_facts.settings["TimeZone"]
        assert copy.facts.settings["fsync"] == "on" and copy.facts.settings["wal_level"] == "replica"
    assert copy.dropped
    assert source.state() == before


def test_server_that_is_too_old_is_told_of_the_database_and_of_no_file(server18: Server, server15: Server) -> None:
    where = server15.address
    assert where.password
    url = f"postgresql://{where.user}:{where.password.reveal()}@{where.server}/postgres"
    with (
        shop(server18) as made,
        pytest.raises(GreenroomError) as caught,
        acquire(wanted(made, how={"server": url}), Silent()),
    ):
        pass
    assert caught.value.sentence == (
        f"the archive of {made.address.database} is a dump of PostgreSQL 18, and {where.server} is PostgreSQL 15: "
        "an older server cannot take it."
    )


def test_pull_masks_and_leaves_rows_out(source: Shop) -> None:
    rules = {"masks": {"goods.name": "null"}}
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, **rules), Silent()):
        pass
    assert 'tool.greenroom.databases.staging.masks."goods.name"' in caught.value.sentence  # it is NOT NULL
    asked = wanted(source, masks={"goods.name": "text"}, exclude_data=["django_*"])
    with connect(source.address) as connection:
        connection.execute("INSERT INTO django_migrations VALUES (1, 'a', 'b')")
    with acquire(asked, Silent()) as copy, connect(copy.address) as connection:
        assert connection.execute("SELECT count(*) FROM goods WHERE name LIKE 'thing %'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone() == (0,)
    assert "not copied: the rows of public.django_migrations" in copy.notes
    assert any(note.startswith("masked: public.goods.name as text") for note in copy.notes)


def test_nothing_of_an_old_value_lies_on_the_disk_of_a_kept_copy(source: Shop, tmp_path: Path) -> None:
    with acquire(wanted(source, masks={"goods.name": "text"}, how={"keep": True}), Silent()):
        pass
    try:
        assert len(kept.standing()) == 1
        found = subprocess.run(["grep", "-rl", "thing [0-9]", tmp_path], capture_output=True, text=True, check=False)
        assert found.stdout == ""
    finally:
        for standing in kept.standing():
            standing.drop()


def test_branch_is_made_beside_the_source_and_dropped(source: Shop) -> None:
    before = source.state()
    with connect(source.address), acquire(wanted(source, how={"remote": True}), Silent()) as copy:
        is_whole(copy, source)
        assert copy.name.startswith(f"{source.address.database}__fix_it_")
        assert copy.admin.port == source.address.port
    assert (copy.kind, copy.method, copy.dropped) == ("branch", "copy", True)
    assert source.state() == before


def test_kept_pull_runs_on_and_is_dropped_by_name(source: Shop) -> None:
    with acquire(wanted(source, how={"keep": True}), Silent()) as copy:
        pass
    try:
        is_whole(copy, source)
        assert copy.environment and PLANTED not in copy.environment.read_text()
        assert [(found.name, found.state) for found in kept.standing()] == [(copy.name, "kept")]
    finally:
        for found in kept.standing():
            found.drop()
    assert kept.standing() == [] and not copy.dropped


def test_kept_pull_of_a_sensitive_target_needs_rules(source: Shop) -> None:
    asked = wanted(source, sensitive=True, how={"keep": True})
    with pytest.raises(GreenroomError) as caught, acquire(asked, Silent()):
        pass
    assert caught.value.sentence == "staging is sensitive and has no masks, so no copy of it is kept."


def test_wrong_password_is_one_sentence(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "wr0ng")
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source), Silent()):
        pass
    assert caught.value.sentence == f"{source.address.server} refuses {source.owner}: the password is wrong."


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"dump": Path("x")}, "--dump and --target are two sources; a rehearsal has one."),
        (
            {"via_file": True},
            "--via-file leaves the archive on the VPN host for a while, and staging has none (via = ...).",
        ),
        ({"template": True}, "--template is a way to copy on the source's own server."),
        (
            {"remote": True, "server": "postgresql://x@y/z"},
            "--server says where staging is restored, and with --remote it stays where it is.",
        ),
        ({"server": "mysql://me:pl@nted@h/x"}, "--server h/x is no server that a copy can be restored on."),
        ({"server": "docker:"}, "--server docker: is no server that a copy can be restored on."),
        ({"server": "dockre:postgres:17"}, "--server dockre:postgres:17 is no server that a copy can be restored on."),
    ],
)
def test_contradiction_is_refused_before_anything(source: Shop, how: dict[str, object], sentence: str) -> None:
    heard = Heard()
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how=how), heard):
        pass
    assert caught.value.sentence == sentence and heard.steps == []


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ("docker:postgres:18", "no Docker engine answers at tcp://127.0.0.1:1: does it run?"),
        ("postgresql://nobody@127.0.0.1:1/x", "no PostgreSQL server can be reached at 127.0.0.1:1 "),
    ],
)
def test_server_that_does_not_answer_is_told_before_the_source_is_read(
    source: Shop, monkeypatch: pytest.MonkeyPatch, server: str, sentence: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    heard = Heard()
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how={"server": server}), heard):
        pass
    assert caught.value.sentence.startswith(sentence) and heard.steps == []


def test_inventory_is_empty_after_all(source: Shop) -> None:
    with acquire(wanted(source, how={"remote": True}), Silent()):
        standing = inventory.survey(inventory.Scope(url=source.url(source.admin))).standing
        assert [found.state for found in standing] == ["alive"]
    assert inventory.survey(inventory.Scope(url=source.url(source.admin))).standing == []


def test_standby_can_be_read_and_bears_no_copy() -> None:
    """It begins as a server of its own; nothing has to come to it."""
    with embedded(binaries=of_major(18), settings={"wal_level": "replica"}) as server, standby_shop(server) as source:
        with acquire(wanted(source), Silent()) as copy:
            is_whole(copy, source)
        for how in ({"remote": True}, {"server": source.url()}):
            with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how=how), Silent()):
                pass
            assert caught.value.sentence == f"{source.address.server} is a standby: no copy can be made on it."


@contextmanager
def standby_shop(server: Server) -> Iterator[Shop]:
    with shop(server) as made:
        with server.stopped() as data:
            (data / "standby.signal").touch()
        yield made
        with server.stopped() as data:
            (data / "standby.signal").unlink()
