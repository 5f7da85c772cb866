"""The rules of a target's masks: read, refused by their path, and which kind fits which column."""

from __future__ import annotations

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres.mask_kinds import KINDS, Shape
from greenroom.postgres.masking import Rule, rules

KIND_NAMES = "email, name, phone, text, hash, uuid, ip, date, zero, empty, null, keep"


def refused(masks: dict[str, str]) -> str:
    with pytest.raises(GreenroomError) as caught:
        rules(masks, "staging")
    assert caught.value.hint == "Correct it in pyproject.toml."
    return caught.value.sentence


@pytest.mark.parametrize(
    ("key", "kind", "rule"),
    [
        ("auth_user.email", "email", ("public", "auth_user", "email", "email", "")),
        ("crm.Person.phone", "null", ("crm", "Person", "phone", "null", "")),
        ('"odd.schema"."a ""table"""."Col.umn"', "keep", ("odd.schema", 'a "table"', "Col.umn", "keep", "")),
        ("t.c", "sql: upper(c) || ':'", ("public", "t", "c", "sql", "upper(c) || ':'")),
    ],
)
def test_rules_take_a_key_apart(key: str, kind: str, rule: tuple[str, str, str, str, str]) -> None:
    assert rules({key: kind}, "staging") == [Rule(key, *rule)]


def test_rules_name_all_that_is_wrong() -> None:
    given = {"email": "email", "a.b.c.d": "null", "t.c": "e-mail", "t.d": "sql:", "t.e": "hash", "public.t.e": "text"}
    where = "tool.greenroom.databases.staging.masks."
    assert refused(given) == "; ".join(
        [
            f'{where}"email": it is not of the form [schema.]table.column',
            f'{where}"a.b.c.d": it is not of the form [schema.]table.column',
            f'{where}"t.c": there is no kind e-mail (similar: email); there are {KIND_NAMES}, and sql:EXPRESSION',
            f'{where}"t.d": no expression follows sql:',
            f'{where}"public.t.e": the same column as t.e',
        ]
    )


def test_rules_of_no_masks() -> None:
    assert rules({}, "staging") == []


@pytest.mark.parametrize(
    ("kind", "shape", "why"),
    [
        ("email", Shape("number", "integer", "int4"), "email does not fit integer, but text columns"),
        (
            "hash",
            Shape("json", "jsonb", "jsonb"),
            "hash does not fit jsonb, but text and bytea columns",
        ),
        (
            "email",
            Shape("text", "character varying(26)", "varchar", 26),
            "email needs room for 27 characters, and character varying(26) has less",
        ),
        ("email", Shape("text", "character varying(27)", "varchar", 27), None),
        ("text", Shape("text", "character(1)", "bpchar", 1), None),
        ("hash", Shape("bytea", "bytea", "bytea"), None),
        ("null", Shape("other", "public.mood", "mood"), None),
        ("keep", Shape("other", "public.mood", "mood"), None),
    ],
)
def test_kind_fits_a_column_or_says_why_not(kind: str, shape: Shape, why: str | None) -> None:
    assert KINDS[kind].misfit(shape) == why


@pytest.mark.parametrize(("length", "apart"), [(None, True), (20, True), (19, False)])
def test_phone_keeps_values_apart_where_it_has_room(length: int | None, apart: bool) -> None:
    assert KINDS["phone"].keeps_apart(Shape("text", "character varying", "varchar", length)) is apart
