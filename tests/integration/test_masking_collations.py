"""Columns whose collation takes different texts for equal: these are masked alike, so that keys and joins hold."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.masked_people import admin15, mask, one, refused
from tests.integration.test_masking_check import WHERE

__all__ = ["admin15"]

LOOSE = """
CREATE SCHEMA "Odd"; CREATE COLLATION "Odd".ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN address AS varchar(60) COLLATE "Odd".ci;
CREATE TABLE person (email address PRIMARY KEY);
CREATE TABLE letter (sender address REFERENCES person, body text);
INSERT INTO person VALUES ('Ann@Mail.example'), ('Bob@mail.example');
INSERT INTO letter VALUES ('ann@mail.EXAMPLE'), ('ANN@MAIL.EXAMPLE'), ('bob@mail.example');
"""
JOINED = """
SELECT count(*), count(DISTINCT p.email COLLATE "C") FROM letter l JOIN person p ON l.sender COLLATE "C" = p.email
"""
WORDS = """
CREATE TABLE word (said text COLLATE "Odd".ci);
INSERT INTO word SELECT repeat(s, 16) FROM unnest(ARRAY['e' || chr(769), chr(233)]) AS s;
"""


@pytest.mark.parametrize("kind", ["email", "hash", "uuid", "phone"])
def test_ends_of_a_key_that_are_equal_by_collation_stay_equal(admin15: psycopg.Connection, kind: str) -> None:
    admin15.execute(LOOSE)
    mask(admin15, {"person.email": kind, "letter.sender": kind})
    assert one(admin15, JOINED) == (3, 2)
    admin15.execute("ALTER TABLE letter DROP CONSTRAINT letter_sender_fkey")
    admin15.execute("ALTER TABLE letter ADD FOREIGN KEY (sender) REFERENCES person")


def test_texts_that_are_equal_but_of_other_lengths_stay_equal(admin15: psycopg.Connection) -> None:
    admin15.execute(LOOSE)
    admin15.execute(WORDS)
    assert one(admin15, "SELECT count(DISTINCT said) FROM word") == 1
    mask(admin15, {"word.said": "text"})
    assert one(admin15, 'SELECT count(DISTINCT said COLLATE "C") FROM word') == 1


def test_ends_of_different_collations_are_refused(admin15: psycopg.Connection) -> None:
    admin15.execute("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    admin15.execute('CREATE TABLE person (email text COLLATE "C" PRIMARY KEY)')
    admin15.execute("CREATE TABLE letter (sender text COLLATE ci)")
    admin15.execute("ALTER TABLE letter ADD FOREIGN KEY (sender) REFERENCES person")
    why = "so both ends want the same kind, and the same type and collation"
    assert refused(admin15, {"person.email": "hash", "letter.sender": "hash"}) == (
        f'{WHERE}"letter.sender": the foreign key letter_sender_fkey ties it to public.person, {why}'
    )
