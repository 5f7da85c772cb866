"""Columns that may hold words and have no rule: a sensitive source names them all."""

from __future__ import annotations

import tomllib

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import masking
from tests.integration.masked_people import admin, admin18

__all__ = ["admin", "admin18"]


def test_uncovered_names_everything_that_may_hold_words(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE TYPE mood AS ENUM ('calm'); CREATE TYPE pair AS (a text, b int);
        CREATE DOMAIN mail AS varchar(30); CREATE DOMAIN age AS int;
        CREATE TABLE t (
            id int, covered text, mood mood, born date, span interval, u uuid, ip inet, ages age[], r int4range,
            yes boolean, many int[], kept text, "Odd" mail, list mail[], j jsonb, j2 json, x bytea, c char(3),
            v varchar, words tsvector, pair pair, twice text GENERATED ALWAYS AS (covered || covered) STORED
        );
        CREATE TABLE more (extra text) INHERITS (t);
        CREATE TABLE unmasked (a text);
        """
    )
    rules = masking.rules({"t.covered": "text", "t.kept": "keep"}, "staging")
    names = "Odd c j j2 list pair v words x".split()
    assert masking.uncovered(admin, rules) == ["public.more.extra", *(f"public.t.{name}" for name in names)]


def test_refuse_uncovered_names_the_lines_to_add(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE SCHEMA crm; CREATE TABLE t (a text, b text, c text); CREATE TABLE crm.t (a text, b text)")
    with pytest.raises(GreenroomError) as caught:
        masking.refuse_uncovered(admin18, masking.rules({"t.a": "text", "crm.t.a": "null"}, "staging"), "staging")
    assert str(caught.value) == (
        "staging is sensitive, and these columns of its masked tables have no rule, so no copy of it is kept: "
        "crm.t.b, public.t.b, public.t.c.\n"
        '  Add them to [tool.greenroom.databases.staging.masks]; "keep" declares one harmless:\n'
        '  "crm.t.b" = "text"\n'
        '  "t.b" = "text"\n'
        '  "t.c" = "text"'
    )


def test_lines_to_add_can_be_taken_over(admin18: psycopg.Connection) -> None:
    """Whatever the names, and with a kind that fits each column."""
    admin18.execute(
        """
        CREATE SCHEMA "Odd.Schema"; CREATE DOMAIN word AS varchar(10) NOT NULL;
        CREATE TABLE "Odd.Schema"."Größe ""x"" y" (
            a text, "full name" text, "a.b" text, "it's ""5%"" off" text, data jsonb NOT NULL, tags text[] NOT NULL,
            login text UNIQUE NOT NULL, words tsvector NOT NULL, pin varchar(8) UNIQUE NOT NULL, short word, twice jsonb
        );
        """
    )
    rules = {'"Odd.Schema"."Größe ""x"" y".a': "text"}
    with pytest.raises(GreenroomError) as caught:
        masking.refuse_uncovered(admin18, masking.rules(rules, "staging"), "staging")
    lines = str(caught.value).splitlines()[2:]
    assert '  \'"Odd.Schema"."Größe ""x"" y".data\' = "empty"' in lines
    added = tomllib.loads("\n".join(lines))
    assert list(added.values()) == ["text", "empty", "text", "text", "hash", "keep", "text", "empty", "empty", "keep"]
    whole = masking.rules({**rules, **added}, "staging")
    masking.check(admin18, whole, "staging")
    masking.refuse_uncovered(admin18, whole, "staging")


def test_refuse_uncovered_without_any_mask(admin18: psycopg.Connection) -> None:
    with pytest.raises(GreenroomError) as caught:
        masking.refuse_uncovered(admin18, [], "staging")
    assert str(caught.value) == (
        "staging is sensitive and has no masks, so no copy of it is kept.\n"
        '  Write them: [tool.greenroom.databases.staging.masks] with lines such as "auth_user.email" = "email".'
    )


def test_refuse_uncovered_is_content_when_all_have_a_rule(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE TABLE t (id int, a text, b text)")
    masking.refuse_uncovered(admin18, masking.rules({"t.a": "text", "t.b": "keep"}, "staging"), "staging")


def test_inherited_columns_count_where_they_come_from(admin18: psycopg.Connection) -> None:
    """A rule that names only what a child adds leaves all that the child inherits as it is."""
    admin18.execute(
        """
        CREATE TABLE top (email text, n int); CREATE TABLE beside (note text);
        CREATE TABLE middle () INHERITS (top); CREATE TABLE leaf (extra text) INHERITS (middle, beside);
        """
    )
    rules = masking.rules({"leaf.extra": "text"}, "staging")
    assert masking.uncovered(admin18, rules) == ["public.beside.note", "public.top.email"]
    rules = masking.rules({"leaf.extra": "text", "top.email": "email", "beside.note": "keep"}, "staging")
    masking.check(admin18, rules, "staging")
    masking.refuse_uncovered(admin18, rules, "staging")


def test_ranges_may_hold_words_where_their_bounds_do(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE DOMAIN mail AS text; CREATE DOMAIN span AS int4range;
        CREATE TYPE names AS RANGE (subtype = text, multirange_type_name = many_names);
        CREATE TYPE mails AS RANGE (subtype = mail);
        CREATE TYPE lengths AS RANGE (subtype = float8); CREATE TYPE ids AS RANGE (subtype = uuid);
        CREATE TABLE t (covered text, a names, b mails, c names[], d many_names,
            e lengths, f int4range, g span, h tstzmultirange, i lengths[], j ids);
        """
    )
    rules = masking.rules({"t.covered": "text"}, "staging")
    assert masking.uncovered(admin, rules) == [f"public.t.{name}" for name in "abcd"]
    masking.apply(admin, masking.rules({"t.a": "null", "t.c": "empty"}, "staging"))
