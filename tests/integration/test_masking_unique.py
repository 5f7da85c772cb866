"""Unique indexes over expressions or some rows, and exclusion constraints: a mask that breaks one is refused too."""

from __future__ import annotations

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import masking
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.masked_people import admin, admin18, mask, one, refused
from tests.integration.shop import shop
from tests.integration.staging import places, wanted
from tests.integration.test_masking_check import WHERE

__all__ = ["admin", "admin18", "places"]

APART = """
CREATE TABLE person (
    id int, email text, phone text, note text, nick text, "Odd name" varchar(40), state int, deleted_at timestamptz,
    code text, tag text, EXCLUDE USING hash (tag WITH =)
);
CREATE UNIQUE INDEX lower_email ON person (lower(email));
CREATE UNIQUE INDEX phone ON person (coalesce(phone, ''));
CREATE UNIQUE INDEX "Short one" ON person ("left"("Odd name", 10)) WHERE state > 3;
CREATE UNIQUE INDEX live_id ON person (id, nick) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX main ON person (id) WHERE state = 0;
CREATE UNIQUE INDEX noted ON person (id) WHERE "Odd name" = '';
CREATE UNIQUE INDEX together ON person (lower(note), id);
CREATE UNIQUE INDEX both_of_them ON person ((note || email));
CREATE UNIQUE INDEX once ON person ((true)) WHERE code = 'main';
INSERT INTO person SELECT i, 'P' || i, '+49' || i, 'n', 'k' || i, i || ' Odd name', i, now(), 'c', 't' || i
FROM generate_series(1, 30) AS i;
"""
SAME = "makes the same of different values, and public.{} wants them unique"
BRINGS = "brings every row under public.{}, which wants them unique where {}"
WAY_THROUGH = "; should the rows be unique there, write sql:NULL"


@pytest.mark.parametrize(
    ("key", "kind", "why"),
    [
        ("person.email", "name", "name " + SAME.format("lower_email")),
        ("person.email", "empty", "empty " + SAME.format("lower_email")),
        ("person.tag", "text", "text " + SAME.format("person_tag_excl")),
        ('person."Odd name"', "name", "name " + SAME.format('"Short one"')),
        ("person.phone", "null", "null makes all values the same to public.phone, which wants them unique"),
        ("person.deleted_at", "null", "null " + BRINGS.format("live_id", "(deleted_at IS NULL)") + WAY_THROUGH),
        ("person.state", "zero", "zero " + BRINGS.format("main", "(state = 0)")),
    ],
)
def test_check_refuses(admin: psycopg.Connection, key: str, kind: str, why: str) -> None:
    admin.execute(APART)
    assert refused(admin, {key: kind}) == f"{WHERE}{quoted(key)}: {why}"


def quoted(key: str) -> str:
    return f'"{key}"'


def test_check_takes_what_keeps_them_apart_or_what_other_columns_decide(admin: psycopg.Connection) -> None:
    admin.execute(APART)
    kinds = {"email": "email", "phone": "hash", "note": "text", "nick": "name", "state": "null", "tag": "null"}
    mask(admin, {f"person.{column}": kind for column, kind in {**kinds, "code": "empty"}.items()})
    assert one(admin, "SELECT count(DISTINCT lower(email)) FROM person") == 30


def test_way_through_that_is_named_masks_rows_that_are_unique_there(admin: psycopg.Connection) -> None:
    admin.execute(APART)
    mask(admin, {"person.deleted_at": "sql:NULL"})
    assert one(admin, "SELECT count(*) FROM person WHERE deleted_at IS NULL") == 30


def test_check_refuses_null_where_nulls_are_equal(admin: psycopg.Connection) -> None:
    admin.execute("CREATE TABLE person (phone text UNIQUE NULLS NOT DISTINCT)")
    why = "null makes all values the same to public.person_phone_key, which wants them unique"
    assert refused(admin, {"person.phone": "null"}) == f'{WHERE}"person.phone": {why}'


def test_check_sees_an_index_of_a_part(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE TABLE event (day date, who text) PARTITION BY LIST (day);
        CREATE TABLE first (who text, day date); ALTER TABLE event ATTACH PARTITION first DEFAULT;
        CREATE UNIQUE INDEX whose ON first (lower(who));
        """
    )
    assert refused(admin18, {"event.who": "name"}) == f'{WHERE}"event.who": name {SAME.format("whose")}'
    masking.check(admin18, masking.rules({"event.who": "hash"}, "staging"), "staging")


@pytest.mark.parametrize("how", [{}, {"remote": True}], ids=["here", "remote"])
def test_mask_is_thought_of_where_an_index_cannot_be_built(how: dict[str, object], server18: Server) -> None:
    """That this expression is the same of all masked values is known only then."""
    with shop(server18) as source:
        with connect(source.admin) as boss:
            boss.execute("CREATE UNIQUE INDEX ends ON goods ((name || id)) WHERE length(name) < 3")
            boss.execute('CREATE UNIQUE INDEX "Last" ON goods (reverse("left"(reverse(name), 4)))')
        masks = {"goods.name": "email"}
        with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how=how, masks=masks), Silent()):
            pass
    assert caught.value.sentence.endswith(": it failed at INDEX Last.")
    assert caught.value.hint and caught.value.hint.startswith(
        "Its rows were masked before: another kind for its columns, where one breaks it? "
    )


SEVERAL = """
CREATE TABLE person (
    team int, name text, nick text, born date, plan int, mail text, deleted_at timestamptz,
    UNIQUE (team, name), UNIQUE (nick, plan)
);
CREATE UNIQUE INDEX birthdays ON person (team, born) INCLUDE (nick);
CREATE UNIQUE INDEX mails ON person (lower(mail), abs(team + plan)) WHERE deleted_at IS NULL OR plan = 0;
INSERT INTO person SELECT i / 40, 'n' || i, 'k' || i, date '2020-01-02' + i, i % 7, 'P' || i, now()
FROM generate_series(1, 80) AS i;
"""
ALIKE = "makes rows the same to public.{}, which wants them unique: {}"


@pytest.mark.parametrize(
    ("masks", "why"),
    [
        ({"name": "name"}, {"name": ALIKE.format("person_team_name_key", "team, name")}),
        ({"name": "empty"}, {"name": ALIKE.format("person_team_name_key", "team, name")}),
        ({"born": "date"}, {"born": ALIKE.format("birthdays", "team, born")}),
        (
            {"nick": "empty", "plan": "zero"},
            {name: ALIKE.format("person_nick_plan_key", "nick, plan") for name in ("nick", "plan")},
        ),
    ],
)
def test_check_refuses_what_rows_show_to_break_an_index_of_several_columns(
    admin: psycopg.Connection, masks: dict[str, str], why: dict[str, str]
) -> None:
    admin.execute(SEVERAL)
    told = [f'{WHERE}"person.{name}": {masks[name]} {reason}' for name, reason in why.items()]
    assert refused(admin, {f"person.{name}": kind for name, kind in masks.items()}) == "; ".join(told)


def test_check_sees_what_a_mask_brings_under_an_index_of_several_columns(admin: psycopg.Connection) -> None:
    admin.execute(SEVERAL)
    admin.execute("UPDATE person SET mail = 'same' WHERE plan > 0")
    why = "zero " + ALIKE.format("mails", "lower(mail), abs((team + plan))")
    assert refused(admin, {"person.plan": "zero"}) == f'{WHERE}"person.plan": {why}'


@pytest.mark.parametrize(
    "masks",
    [
        {"name": "hash", "nick": "name", "mail": "email", "born": "null"},  # nicks are too few for each plan to break
        {"plan": "zero", "mail": "empty", "name": "text", "team": "sql:team"},
    ],
)
def test_check_takes_what_breaks_no_index_of_several_columns(admin: psycopg.Connection, masks: dict[str, str]) -> None:
    admin.execute(SEVERAL)
    mask_rules = masking.rules({f"person.{name}": kind for name, kind in masks.items()}, "staging")
    masking.check(admin, mask_rules, "staging")


def test_check_asks_no_rows_that_are_left_out(admin: psycopg.Connection) -> None:
    admin.execute(SEVERAL)
    masking.check(admin, masking.rules({"person.name": "empty"}, "staging"), "staging", ["public.person"])


def test_check_asks_the_rows_of_parts_and_tells_one(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE TABLE event (day date, who text, UNIQUE (day, who)) PARTITION BY LIST (day);
        CREATE TABLE first PARTITION OF event FOR VALUES IN ('2020-01-02');
        CREATE TABLE other PARTITION OF event DEFAULT;
        INSERT INTO event VALUES ('2020-01-02', 'a'), ('2020-01-02', 'b'), ('2020-01-03', 'a'), ('2020-01-03', 'b');
        """
    )
    why = "empty " + ALIKE.format("first_day_who_key", "day, who")
    assert refused(admin18, {"event.who": "empty"}) == f'{WHERE}"event.who": {why}'


def test_check_leaves_a_part_alone_whose_own_mask_may_keep_rows_apart(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE TABLE event (who text);
        CREATE TABLE late (what text, UNIQUE (who, what)) INHERITS (event);
        INSERT INTO late VALUES ('a', 'x'), ('b', 'x');
        """
    )
    masks = {"event.who": "empty", "late.what": "sql:gen_random_uuid()::text"}
    masking.check(admin18, masking.rules(masks, "staging"), "staging")
