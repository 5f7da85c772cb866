"""What stands, gathered from every room: one that does not answer does not hide the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.config import Config, PostgresTarget
from greenroom.errors import GreenroomError
from greenroom.postgres import inventory, journal
from greenroom.postgres.address import Address
from greenroom.postgres.inventory import Scope, named, survey
from greenroom.postgres.remains import Kind, Remains
from greenroom.postgres.way import Way, way_of
from greenroom.secret import Secret

SERVER = Address("db.example", 5432, "postgres", "me")
TARGET = PostgresTarget(host="db.example", name="shop", user="me", via="me@vpn", password_variable="SHOP_PASSWORD")


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SHOP_PASSWORD", "pl4nted")
    monkeypatch.setenv("PGPASSWORD", "another")
    for room in ("_containers", "_directories"):
        monkeypatch.setattr(inventory, room, list)


def remains(name: str, kind: Kind = "database", where: str = "here") -> Remains:
    return Remains(kind, name, where, "2026-01-01T00:00:00+00:00", "alive", False, lambda: None)


def refuses() -> list[Remains]:
    raise GreenroomError("nobody answers.", "Ask again.")


def on_servers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Way], list[Remains]]) -> list[Way]:
    asked: list[Way] = []

    def standing_on(way: Way) -> list[Remains]:
        asked.append(way)
        return answer(way)

    monkeypatch.setattr(inventory, "standing_on", standing_on)
    return asked


def test_survey_asks_every_room_and_each_server_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, via in enumerate((None, None, "me@vpn")):
        journal.write(SERVER, f"shop{number}", f"id{number}", via=via)
    monkeypatch.setattr(inventory, "_containers", lambda: [remains("c", "container")])
    asked = on_servers(monkeypatch, lambda way: [remains(f"far{way.via}")])
    found = survey(Scope())
    assert [one.name for one in found.standing] == ["c", "farNone", "farme@vpn"] and found.problems == []
    assert [way.via for way in asked] == [None, "me@vpn"]


def test_survey_tells_who_did_not_answer_and_how_to_forget_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    path = journal.write(SERVER, "shop", "id")
    monkeypatch.setattr(inventory, "_containers", refuses)
    monkeypatch.setattr(inventory, "_directories", lambda: [remains("d", "directory")])
    on_servers(monkeypatch, lambda _way: refuses())
    found = survey(Scope())
    assert [one.name for one in found.standing] == ["d"]
    assert found.problems == [
        "nobody answers.\n  Ask again.",
        f"nobody answers.\n  Ask again.\n  Is it gone for good? Then forget it: rm {path}",
    ]


def test_survey_of_a_url_asks_that_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_containers", refuses)
    asked = on_servers(monkeypatch, lambda _way: [])
    assert survey(Scope("postgresql://me@db.example/shop")) == inventory.Survey([])
    assert asked == [Way(SERVER.at("shop"))]


def test_survey_of_a_target_has_its_password_and_fails_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(root=Path(), databases={"staging": TARGET})
    asked = on_servers(monkeypatch, lambda _way: refuses())
    with pytest.raises(GreenroomError, match=r"nobody answers\."):
        survey(Scope(target="staging", config=config))
    assert asked == [Way(SERVER.at("shop").as_role("me", Secret("pl4nted")), "me@vpn")]


def test_named_looks_near_before_it_asks_who_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    journal.write(SERVER, "shop", "id")
    monkeypatch.setattr(inventory, "_containers", lambda: [remains("a", "container"), remains("b", "container")])
    asked = on_servers(monkeypatch, lambda _way: [remains("c")])
    assert named(Scope(), "b").kind == "container" and asked == []
    assert named(Scope(), "c").kind == "database"


def test_named_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "_containers", lambda: [remains("a"), remains("a", where="there")])
    with pytest.raises(GreenroomError) as caught:
        named(Scope(), "a")
    assert str(caught.value) == "there are 2 called a: here, there.\n  Say which: --url or --target."
    assert caught.value.code == 1


@pytest.mark.parametrize(
    ("via", "user", "password"), [("me@vpn", "me", "pl4nted"), ("me@vpn", "other", "another"), (None, "me", None)]
)
def test_way_of_an_intent_has_the_password_of_its_target(via: str | None, user: str, password: str | None) -> None:
    """Without a VPN host libpq finds PGPASSWORD by itself."""
    journal.write(SERVER.as_role(user, None), "shop", "id", via=via)
    ((_, intent),) = journal.intents()
    way = way_of(intent, [TARGET])
    assert (way.via, way.real.server, way.real.database) == (via, "db.example:5432", "postgres")
    assert way.real.password == (Secret(password) if password else None)
    assert way.leads_to(intent) and not Way(way.real, "another@vpn").leads_to(intent)
