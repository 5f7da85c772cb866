"""What an operation sets or holds for the operations after it, told by its statements."""

from __future__ import annotations

import pytest
from django.db import migrations

from greenroom.rehearsal.agent.twin_bounds import Held, Setting, held, in_force, is_bound, limit

SQL, PYTHON = migrations.RunSQL("SELECT 1"), migrations.RunPython(migrations.RunPython.noop)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("SET LOCAL lock_timeout = '2s'", Setting("lock_timeout", "'2s'", True)),
        ("set session Statement_Timeout to 5000;", Setting("statement_timeout", "5000", False)),
        ("/* why */ SET lock_timeout TO DEFAULT -- done", Setting("lock_timeout", None, False)),
        ("RESET lock_timeout", Setting("lock_timeout", None, False)),
        ("SET app.tenant = 'one'", Setting("app.tenant", "'one'", False)),
    ],
)
def test_setting_is_told_by_its_text(text: str, setting: Setting) -> None:
    assert is_bound(text)
    assert held([SQL], [text], True) == Held([setting], None, True)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("LOCK shop_line", "LOCK TABLE"),
        ("DO $$ BEGIN LOCK TABLE a; END $$", "LOCK TABLE"),
        ("SELECT pg_try_advisory_xact_lock(1)", "an advisory lock"),
        ("SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS ... DEFERRED"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION"),
        ("SELECT set_config('lock_timeout', '2s', true)", "set_config"),
        ("CREATE LOCAL TEMPORARY TABLE a ()", "a temporary table"),
        ("DECLARE c CURSOR FOR SELECT 1", "a cursor"),
        ("ALTER TABLE a DISABLE TRIGGER USER", "DISABLE"),
        ("SET ROLE other", "a SET among other things"),
        ("DO $$ BEGIN SET LOCAL lock_timeout = '2s'; END $$", "a SET among other things"),
    ],
)
def test_what_a_split_would_lose_is_named(text: str, what: str) -> None:
    assert is_bound(text)
    assert held([SQL], [text], True).lost == what


@pytest.mark.parametrize(
    "text",
    [
        "SET CONSTRAINTS ALL IMMEDIATE",
        "UPDATE a SET lock_timeout = 1",
        "SELECT * FROM clock",
        "ALTER TABLE a ALTER b SET DEFAULT 1",
        'COMMENT ON COLUMN "a"."b" IS NULL -- LOCK TABLE a',
    ],
)
def test_other_statements_hold_nothing(text: str) -> None:
    assert not is_bound(text)
    assert held([SQL], [text], True) == Held([], None, False)


def test_migration_without_transaction_holds_nothing_of_one() -> None:
    assert held([SQL], ["LOCK TABLE a"], False).lost is None
    assert held([SQL], ["SET LOCAL lock_timeout = '2s'"], False).settings == []
    assert held([SQL], ["CREATE TEMP TABLE a ()"], False).lost == "a temporary table"


def test_statement_beside_its_settings_keeps_them() -> None:
    texts = ["SET LOCAL lock_timeout = '2s'", "ALTER TABLE a ADD b int"]
    assert held([SQL], texts, True) == Held([Setting("lock_timeout", "'2s'", True)], None, False)


def test_settings_in_python_are_lost_unless_they_are_taken_back() -> None:
    assert held([PYTHON], ["SET lock_timeout = '2s'"], True).lost == "SET in Python"
    assert held([PYTHON], ["SET lock_timeout = '2s'", "RESET lock_timeout"], True).lost is None


def test_later_setting_stands_for_the_one_before() -> None:
    first, local, reset = (
        Setting("lock_timeout", "'1s'", False),
        Setting("lock_timeout", "'2s'", True),
        Setting("lock_timeout", None, False),
    )
    assert in_force([first], [local]) == [first, local]
    assert in_force([first, local], [reset]) == [local, reset]
    assert limit("lock_timeout", [first, local], {}) == local
    assert limit("lock_timeout", [first, local], {}, session=True) == first
    assert limit("lock_timeout", [reset], {"lock_timeout": "0"}) is None
    assert limit("lock_timeout", [], {"lock_timeout": "2s"}) == reset
