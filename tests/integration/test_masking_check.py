"""Masks that do not fit are refused before the dump, all at once; and those that fit are not."""

from __future__ import annotations

import psycopg
import pytest

from greenroom.postgres import masking
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from tests.integration.masked_people import MASKS, PEOPLE, admin, admin18, owner, refused

__all__ = ["admin", "admin18", "owner"]
WHERE = "tool.greenroom.databases.staging.masks."

ODD = """
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE auth_user (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, login text UNIQUE, mood mood, age int,
    short varchar(12), upper_email text GENERATED ALWAYS AS (upper(email)) STORED, number varchar(15) UNIQUE
);
CREATE VIEW everybody AS SELECT * FROM auth_user;
CREATE TABLE event (day date, kind text, who text) PARTITION BY LIST (lower(kind));
CREATE TABLE event_1 PARTITION OF event DEFAULT;
CREATE TABLE tag (name text PRIMARY KEY);
CREATE TABLE tagged (id int, tag text REFERENCES tag, other text REFERENCES tag);
"""


@pytest.mark.parametrize(
    ("key", "kind", "why"),
    [
        ("auth_usr.email", "email", "there is no table public.auth_usr (similar: auth_user)"),
        ("pg_catalog.pg_class.relname", "null", "there is no table pg_catalog.pg_class"),
        ("auth_user.mail", "email", "public.auth_user has no column mail (similar: email)"),
        ("everybody.email", "email", "public.everybody is a view: the rule belongs to the tables that it shows"),
        ("auth_user.upper_email", "email", "it is a generated column: mask those that it is made of"),
        ("auth_user.id", "zero", "it is GENERATED ALWAYS AS IDENTITY, and its values cannot be replaced"),
        ("auth_user.email", "null", "null does not fit a column that is NOT NULL"),
        ("auth_user.age", "email", "email does not fit integer, but text columns"),
        ("auth_user.mood", "text", "text does not fit public.mood, but text columns"),
        ("auth_user.short", "hash", "hash needs room for 16 characters, and character varying(12) has less"),
        (
            "auth_user.login",
            "name",
            "name makes the same of different values, and public.auth_user_login_key wants them unique",
        ),
        (
            "auth_user.number",
            "phone",
            "phone makes the same of different values, and public.auth_user_number_key wants them unique",
        ),
        ("event.kind", "text", "it decides in which partition a row lies, and cannot be masked"),
        (
            "event_1.who",
            "text",
            "public.event_1 has this column from public.event: write the rule for that one, and it holds for both",
        ),
        ("auth_user.email", "sql:lower(mail)", 'PostgreSQL refuses the expression: column "mail" does not exist'),
        ("auth_user.email", "sql:email) FROM auth_user; DELETE FROM tag; SELECT ('x'", None),
        ("auth_user.age", "sql:current_date", "PostgreSQL refuses the expression: cannot cast type date to integer"),
        (
            "tag.name",
            "hash",
            "the foreign key tagged_other_fkey ties it to public.tagged, "
            "so both ends want the same kind, and the same type",
        ),
    ],
)
def test_check_refuses(admin: psycopg.Connection, key: str, kind: str, why: str | None) -> None:
    admin.execute(ODD)
    if why is None:
        assert "cannot insert multiple commands into a prepared statement" in refused(admin, {key: kind})
    else:
        assert refused(admin, {key: kind}).split("; ")[0] == f'{WHERE}"{key}": {why}'


def test_check_names_all_at_once(admin18: psycopg.Connection) -> None:
    admin18.execute(ODD)
    assert refused(admin18, {"auth_usr.email": "email", "auth_user.email": "null", "event.who": "text"}) == (
        f'{WHERE}"auth_usr.email": there is no table public.auth_usr (similar: auth_user); '
        f'{WHERE}"auth_user.email": null does not fit a column that is NOT NULL'
    )


def test_check_takes_what_is_right(admin: psycopg.Connection) -> None:
    admin.execute(ODD)
    masks = {
        "auth_user.email": "email",
        "auth_user.login": "hash",
        "auth_user.mood": "null",
        "auth_user.age": "sql:age % 100 / 10 * 10",
        "auth_user.id": "keep",
        "tag.name": "hash",
        "tagged.tag": "hash",
        "tagged.other": "null",
    }
    masking.check(admin, masking.rules(masks, "staging"), "staging")


def test_check_writes_nothing_and_needs_no_right_to(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner, read_only=True) as reading:
        masking.check(reading, masking.rules({**MASKS, "letter.body": "sql:upper(body)"}, "staging"), "staging")


def test_check_refuses_rows_of_another_server(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
        CREATE TABLE t (a text) PARTITION BY LIST (a);
        CREATE TABLE plain (b text); CREATE FOREIGN TABLE plain_far () INHERITS (plain) SERVER far;
        """
    )
    assert refused(admin18, {"plain.b": "text"}) == (
        f'{WHERE}"plain.b": public.plain_far is a part of it whose rows are on another server, '
        "where they would be changed"
    )
