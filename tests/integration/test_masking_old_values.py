"""Of an old value nothing stays: in files, in the write-ahead log, in statistics, in another copy."""

from __future__ import annotations

import subprocess
import time

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import masking, old_wal
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from tests.integration.masked_people import MASKS, PEOPLE, PLANTED, admin, admin18, failed, files_with, mask, one

__all__ = ["admin", "admin18"]


def test_apply_leaves_nothing_of_the_old_values(admin: psycopg.Connection) -> None:
    admin.execute(PEOPLE)
    assert files_with(admin, PLANTED)
    assert mask(admin, MASKS) == [
        "masked: public.person.email as email (1,000 rows)",
        "masked: public.person.name as name (1,000 rows)",
        "masked: public.person.phone as phone (1,000 rows)",
        "masked: public.person.note as text (1,000 rows)",
        "masked: public.letter.sender as email (1,000 rows)",
        "masked: public.letter.body as null (1,000 rows)",
    ]
    assert files_with(admin, PLANTED) == []
    assert files_with(admin, "mail.example") == []


@pytest.mark.parametrize("renamed", [0, 1, 2])
@pytest.mark.parametrize("major", [15, 18])
def test_forgotten_wal_has_nothing_of_the_old_values(major: int, renamed: int) -> None:
    """Nor a segment that a checkpoint had renamed for further use, as one does that has not read its settings yet."""
    with embedded(binaries=of_major(major)) as server, connect(server.address) as admin:
        admin.execute(PEOPLE)
        admin.execute("INSERT INTO letter VALUES (0, 'x', 'Pl4nted.Person')")  # by a transaction of its own: logged
        mask(admin, MASKS)
        for _ in range(renamed):
            admin.execute("SELECT pg_switch_wal()")
            admin.execute("CHECKPOINT")
        assert files_of(server, PLANTED), "or this test shows nothing"
        old_wal.forget(admin)
        assert files_of(server, PLANTED) == []
        server.durable()
        assert files_of(server, PLANTED) == []
        with connect(server.address) as again:
            assert one(again, "SHOW wal_recycle") == "on"
            assert one(again, "SELECT count(*) FROM person") == 1000


def test_wal_that_something_holds_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_wal, "SEGMENTS", 3)
    settings = {"wal_level": "replica", "max_wal_senders": "1", "max_replication_slots": "1"}
    with embedded(settings=settings) as server, connect(server.address) as admin:
        admin.execute("SELECT pg_create_physical_replication_slot('held', true)")
        with pytest.raises(GreenroomError) as caught:
            old_wal.forget(admin)
        deadline = time.monotonic() + 10
        while one(admin, "SHOW wal_recycle") != "on":  # the server reads its settings again when it comes to it
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert caught.value.sentence == "the copy's server does not let go of its old write-ahead log."


def files_of(server: Server, words: str) -> list[str]:
    """Files of the whole data directory that hold `words`, the write-ahead log among them."""
    found = subprocess.run(["grep", "-rl", words, server.data], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_apply_makes_another_copy_differ(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('same')")
    admin18.execute("CREATE TABLE u (a text); INSERT INTO u VALUES ('same')")
    mask(admin18, {"t.a": "hash"})
    mask(admin18, {"u.a": "hash"})
    assert one(admin18, "SELECT t.a = u.a FROM t, u") is False


def test_apply_replaces_statistics_that_hold_values(admin18: psycopg.Connection) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("ANALYZE")
    mask(admin18, {"person.name": "name"})
    held = "SELECT count(*) FROM pg_stats WHERE attname = 'name' AND most_common_vals::text LIKE '%Pl4nted%'"
    assert one(admin18, held) == 0


UNRENEWED = """
CREATE TABLE parted (id int, name text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT n, 'Pl4nted.Person' FROM generate_series(1, 100) n;
CREATE TABLE emptied (id int, name text);
CREATE INDEX ON emptied (lower(name));
CREATE STATISTICS emptied_both ON id, name FROM emptied;
CREATE TABLE written (name text);
CREATE STATISTICS written_large ON upper(name) FROM written;
INSERT INTO written SELECT 'Pl4nted.Person' FROM generate_series(1, 100) n;
INSERT INTO emptied SELECT n / 50, 'Pl4nted.Person' FROM generate_series(1, 100) n;
CREATE TABLE passed_over (name text);
INSERT INTO passed_over SELECT 'Pl4nted.Person' FROM generate_series(1, 100) n;
ANALYZE;
DELETE FROM emptied;
DELETE FROM written;
ALTER TABLE passed_over ALTER name SET STATISTICS 0;
"""
OLD_VALUES = (
    "SELECT array_agg(tablename::text ORDER BY tablename) FROM pg_stats WHERE most_common_vals::text ~* 'pl4nted'"
)
OLD_PAIRS = "SELECT count(*) FROM pg_stats_ext WHERE most_common_vals IS NOT NULL"
OLD_EXPRESSIONS = "SELECT count(*) FROM pg_stats_ext_exprs WHERE most_common_vals IS NOT NULL"
ALL = {f"{table}.name": "name" for table in ("parted", "emptied", "written", "passed_over")}


def test_apply_replaces_statistics_that_analyze_leaves(admin: psycopg.Connection) -> None:
    """Of a partitioned table as a whole, of one without rows, of a column that nobody wants analysed."""
    admin.execute(UNRENEWED)
    assert one(admin, OLD_VALUES) == ["emptied", "emptied_lower_idx", "parted", "parted_1", "passed_over", "written"]
    assert one(admin, OLD_PAIRS) == one(admin, OLD_EXPRESSIONS) == 1
    assert len(mask(admin, ALL)) == len(ALL), "nothing is left to be noted"
    assert one(admin, OLD_VALUES) is None and one(admin, OLD_PAIRS) == one(admin, OLD_EXPRESSIONS) == 0
    assert one(admin, "SELECT count(*) FROM pg_stats WHERE tablename = 'parted' AND attname = 'name'") == 1


def test_apply_tells_statistics_that_an_owner_cannot_replace(admin: psycopg.Connection) -> None:
    """From 18 on they can be, but for those of several columns together."""
    clears = admin.info.server_version >= 180000
    admin.execute("CREATE ROLE ordinary; GRANT ALL ON SCHEMA public TO ordinary; SET ROLE ordinary")
    try:
        admin.execute(UNRENEWED)
        left = ", ".join(["public.emptied", *([] if clears else ["public.passed_over"]), "public.written"])
        assert mask(admin, ALL)[len(ALL) :] == [f"the planner's statistics still hold values of before: {left}"]
        held = None if clears else ["emptied", "emptied_lower_idx", "passed_over", "written"]
        assert one(admin, OLD_VALUES) == held
    finally:
        admin.execute("RESET ROLE; DROP OWNED BY ordinary; DROP ROLE ordinary")


def test_apply_does_not_carry_old_rows_over(
    admin18: psycopg.Connection, server18: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin18.execute(PEOPLE)
    monkeypatch.setattr(masking, "SETTLE_SECONDS", 0.3)
    with connect(server18.address.at(admin18.info.dbname)) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        assert failed(admin18, {"letter.body": "null"}) == (
            "old rows of public.letter cannot be removed from the copy: another session of its server still sees them."
        )
