"""The intent journal."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.postgres import journal
from greenroom.postgres.address import Address
from greenroom.secret import Secret

SERVER = Address("db.example", 5432, "postgres", "me", Secret("pl4nted"))


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_write_keeps_everything_but_the_password_for_its_owner_alone() -> None:
    path = journal.write(SERVER, "shop__fix_1", "abc", ["app"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert "pl4nted" not in path.read_text()
    ((found, intent),) = journal.intents()
    assert found == path
    assert intent.address == Address("db.example", 5432, "postgres", "me")
    assert (intent.database, intent.roles, intent.pid, intent.abandoned) == (
        "shop__fix_1",
        ("app",),
        os.getpid(),
        False,
    )


def test_write_keeps_the_way_to_the_server_but_no_secret() -> None:
    options = {"sslmode": "verify-full", "sslpassword": "pl4nted"}
    path = journal.write(replace(SERVER, options=options), "shop__fix_1", "abc", via="me@vpn.example")
    assert "pl4nted" not in path.read_text()
    ((_, intent),) = journal.intents()
    assert (intent.via, intent.address.options) == ("me@vpn.example", {"sslmode": "verify-full"})


def test_intents_read_files_of_before() -> None:
    path = journal.write(SERVER, "shop__fix_1", "abc", ["app"])
    content = json.loads(path.read_text())
    for name in ("via", "options", "machine", "oid", "until", "began"):
        del content[name]
    path.write_text(json.dumps(content))
    ((_, intent),) = journal.intents()
    assert (intent.via, intent.address, intent.abandoned) == (None, replace(SERVER, password=None), False)


def test_intent_of_another_machine_is_not_abandoned() -> None:
    """Where the home is shared: that process cannot be seen from here."""
    path = journal.write(SERVER, "shop__fix_1", "abc")
    ((_, intent),) = journal.intents()
    gone = replace(intent, began=intent.began - 1)
    assert path.exists() and gone.abandoned
    for machine in ("", "another", socket.gethostname()):
        assert not replace(gone, machine=machine).abandoned, "cloned machines are called the same"


@pytest.mark.parametrize("until", ["", "2020-01-02T00:00:00+00:00"])
def test_intent_of_another_machine_is_abandoned_when_its_time_has_passed(until: str) -> None:
    """So it is after this machine has booted anew."""
    journal.write(SERVER, "shop__fix_1", "abc", until=until)
    ((_, intent),) = journal.intents()
    assert not replace(intent, made="2020-01-01T00:00:00+00:00").abandoned, "its process lives, and is seen"
    assert replace(intent, made="2020-01-01T00:00:00+00:00", machine="another").abandoned


def test_granted_adds_which_database_it_was() -> None:
    path = journal.write(SERVER, "shop__fix_1", "abc", ["app"])
    ((_, before),) = journal.intents()
    journal.granted(path, 16384)
    assert journal.intents() == [(path, replace(before, oid=16384))]
    assert path.stat().st_mode & 0o777 == 0o600 and list(path.parent.iterdir()) == [path]
    path.unlink()
    journal.granted(path, 16384)
    assert journal.intents() == [], "it was forgotten meanwhile"


def test_intents_pass_over_a_damaged_file() -> None:
    path = journal.write(SERVER, "shop__fix_1", "abc")
    (path.parent / "bad.json").write_text("{")
    (path.parent / "list.json").write_text("[]")
    assert [found for found, _ in journal.intents()] == [path]


def test_intents_are_none_where_nothing_was_ever_written() -> None:
    assert journal.intents() == []
