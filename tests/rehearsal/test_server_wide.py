"""Statements that change more than the copy are told by their text."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.agent.server_wide import server_wide


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("CREATE ROLE reader", "CREATE ROLE"),
        ("-- the reader\ncreate  user reader", "CREATE USER"),
        ("ALTER TABLE a ADD b int; /* and */ DROP ROLE IF EXISTS reader", "DROP ROLE"),
        ("ALTER ROLE CURRENT_USER SET work_mem = '9MB'", "ALTER ROLE"),
        ("ALTER DATABASE production SET work_mem = '9MB'", "ALTER DATABASE"),
        ("ALTER SYSTEM SET work_mem = '9MB'", "ALTER SYSTEM"),
        ("GRANT readers TO somebody", "GRANT of a role"),
        ("DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$", "CREATE ROLE"),
        ("ALTER DATABASE shop__copy SET work_mem = '9MB'", None),
        ("ALTER DATABASE \"shop__copy\" SET work_mem = '9MB'", None),
        ("ALTER ROLE app IN DATABASE shop__copy SET work_mem = '9MB'", None),
        ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET a.b = 1', current_database()); END $$", None),
        ("GRANT SELECT ON orders TO reader", None),
        ("GRANT SELECT\nON orders TO reader", None),
        ("CREATE USER MAPPING FOR app SERVER other", None),
        ("CREATE TABLE role (id int)", None),
        ("INSERT INTO notes VALUES ('x; CREATE ROLE reader')", None),
        ("CREATE INDEX i ON a (b) -- CREATE ROLE reader", None),
    ],
)
def test_what_it_changes(text: str, what: str | None) -> None:
    word = text.split("\n")[-1].split()[0].upper() if text.startswith("--") else text.split()[0].upper()
    assert server_wide(word, text, "shop__copy") == what
