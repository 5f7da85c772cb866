"""Masks that cannot be laid on a copy: which rule it was is told, and no value is quoted."""

from __future__ import annotations

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from tests.integration.masked_people import MASKS, PEOPLE, PLANTED, admin18, failed, owner

__all__ = ["admin18", "owner"]


def test_apply_as_somebody_else_is_refused(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner) as mine:
        assert failed(mine, MASKS) == f"{owner.user} may not mask public.person on the copy."


def test_apply_as_somebody_who_may_only_write_is_refused(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner) as mine:
        assert failed(mine, {"letter.body": "null"}) == f"{owner.user} may not mask public.letter on the copy."


@pytest.mark.parametrize(
    ("table", "mask_", "sentence"),
    [
        (
            "CREATE TABLE t (a text CHECK (a LIKE 'Pl4nted%'))",
            "hash",
            "the masked values of public.t break its constraint t_a_check (t.a = hash).",
        ),
        (
            "CREATE DOMAIN person AS text CONSTRAINT known CHECK (VALUE LIKE 'Pl4nted%'); CREATE TABLE t (a person)",
            "hash",
            "the masked values of public.t break its constraint known (t.a = hash).",
        ),
        (
            "CREATE TABLE t (a text UNIQUE)",
            "sql:'one'",
            "the masked values of public.t break its constraint t_a_key (t.a = sql).",
        ),
        (
            "CREATE TABLE t (a text NOT NULL)",
            "sql:nullif(a, a)",
            "the mask of public.t.a gives NULL, and the column is NOT NULL (t.a = sql).",
        ),
        ("CREATE TABLE t (a text)", "sql:a::int", "public.t cannot be masked (t.a = sql): SQLSTATE 22P02."),
    ],
)
def test_apply_failures_name_the_rule_and_quote_nothing(
    admin18: psycopg.Connection, table: str, mask_: str, sentence: str
) -> None:
    admin18.execute(table.encode())
    admin18.execute(f"INSERT INTO t VALUES ('{PLANTED}'), ('{PLANTED} 2')".encode())
    assert failed(admin18, {"t.a": mask_}) == sentence


def test_apply_refuses_rows_that_a_rule_keeps_from_it(owner: Address) -> None:
    with connect(owner) as mine:
        mine.execute(PEOPLE)
        mine.execute("CREATE RULE frozen AS ON UPDATE TO letter WHERE OLD.id > 990 DO INSTEAD NOTHING")
        assert failed(mine, {"letter.body": "null"}) == (
            "only 990 rows of public.letter can be masked: a rule of the table keeps others from it."
        )


def test_apply_on_a_copy_that_is_not_the_source(admin18: psycopg.Connection) -> None:
    assert failed(admin18, {"t.a": "null"}) == ("the masks do not fit the copy: public.t.a: there is no table public.t")
