"""The recorder: the agent's events become migrations, statements and locks."""

from __future__ import annotations

from typing import Any

from greenroom.rehearsal.recorder import Recorder


def told(*events: dict[str, Any]) -> Recorder:
    recorder = Recorder(start=100.0)
    for event in events:
        recorder.take(event)
    return recorder


def migration_start(t: float = 100.0, name: str = "0002") -> dict[str, Any]:
    return {"event": "migration_start", "t": t, "app": "shop", "name": name, "atomic": True}


def start(t: float, sql: str, how: str = "transaction", operation: int | None = 0) -> dict[str, Any]:
    return {"event": "statement_start", "t": t, "n": 1, "sql": sql, "operation": operation, "how": how}


def end(t: float, **more: Any) -> dict[str, Any]:
    facts = {"locks": [], "rewrites": [], "scans": [], "rows": -1, "wal_bytes": None, "exception": None}
    return {"event": "statement_end", "t": t, "n": 1, "sqlstate": None, **facts, **more}


def a_lock(table: str = "public.line", mode: str = "AccessExclusiveLock", new: bool = False) -> dict[str, Any]:
    return {"oid": 7, "table": table, "mode": mode, "new": new}


COMMIT = {"event": "transaction_end", "t": 103.0, "outcome": "commit", "seconds": 0.001}


def test_lock_held_from_the_statement_that_took_it_to_the_commit() -> None:
    recorder = told(migration_start(), start(101, "ALTER TABLE line ADD a int"), end(101.5, locks=[a_lock()]), COMMIT)
    [lock] = recorder.runs[0].statements[0].locks
    assert (lock.table, lock.acquired_s, lock.held_ms, lock.blocks_reads) == ("line", 1.0, 2000.0, True)


def test_lock_on_a_new_table_blocks_nobody() -> None:
    recorder = told(migration_start(), start(101, "CREATE TABLE t ()"), end(102, locks=[a_lock(new=True)]), COMMIT)
    assert recorder.runs[0].statements[0].locks == []


def test_lock_on_a_materialized_view_stops_no_writer() -> None:
    recorder = Recorder(start=100.0, unwritten=frozenset({"sold"}))
    locks = [a_lock("public.sold", mode) for mode in ("ExclusiveLock", "AccessExclusiveLock")]
    for event in (migration_start(), start(101, "REFRESH MATERIALIZED VIEW sold"), end(102, locks=locks)):
        recorder.take(event)
    found = recorder.runs[0].statements[0].locks
    assert [(lock.blocks_reads, lock.blocks_writes) for lock in found] == [(False, False), (True, False)]


def test_model_of_the_code_is_kept_by_migration_and_operation() -> None:
    queried = {"event": "model", "t": 101.0, "operation": 2, "model": "shop.Order"}
    recorder = told(migration_start(), queried, {**queried, "model": "shop.Line"})
    assert recorder.models == {("shop.0002", 2): ["shop.Order", "shop.Line"]}


def test_statement_of_the_same_shape_is_folded() -> None:
    update = [(start(101 + n, f"UPDATE line SET a = {n}"), end(101.5 + n, rows=10)) for n in range(3)]
    recorder = told(migration_start(), *(event for pair in update for event in pair))
    [statement] = recorder.runs[0].statements
    assert (statement.calls, statement.rows, statement.seconds, statement.longest_seconds) == (3, 30, 1.5, 0.5)
    assert statement.sql == "UPDATE line SET a = $1"


def test_statement_of_another_transaction_is_not_folded() -> None:
    recorder = told(migration_start(), start(101, "SELECT 1"), end(102), COMMIT, start(104, "SELECT 1"), end(105))
    assert [statement.transaction for statement in recorder.runs[0].statements] == [0, 1]


def test_statement_that_was_tried_in_a_transaction_first_is_kept_once() -> None:
    sql = "CREATE INDEX CONCURRENTLY i ON line (a)"
    recorder = told(
        migration_start(),
        start(101, sql, how="wrapped"),
        end(101.1, retried=True, sqlstate="25001"),
        start(101.2, sql, how="polled"),
        end(102.2),
    )
    [statement] = recorder.runs[0].statements
    assert (statement.polled, statement.sqlstate, round(statement.seconds, 3)) == (True, None, 1.0)


def test_scan_names_the_strongest_lock_held_meanwhile() -> None:
    scan = {"oid": 7, "table": "public.line", "scans": 1, "rows": 500, "new": False}
    locks = [a_lock(mode="ShareRowExclusiveLock"), a_lock()]
    recorder = told(migration_start(), start(101, "ALTER TABLE line ..."), end(102, locks=locks, scans=[scan]))
    [seen] = recorder.runs[0].statements[0].scans
    assert (seen.table, seen.rows, seen.lock) == ("line", 500, "AccessExclusiveLock")


def test_reading_belongs_to_the_statement_before_it() -> None:
    update = [start(101, "UPDATE line SET a = 1"), end(101.1)]
    reading = {
        "event": "reading",
        "t": 102,
        "n": 1,
        "locks": [a_lock(mode="RowExclusiveLock")],
        "rewrites": [],
        "scans": [],
    }
    recorder = told(migration_start(), *update, reading, COMMIT)
    [lock] = recorder.runs[0].statements[0].locks
    assert (lock.mode, lock.acquired_s, lock.held_ms) == ("RowExclusiveLock", 1.0, 2000.0)


def test_lock_given_back_at_a_savepoint_is_held_until_then() -> None:
    locked = [start(101, "LOCK TABLE line"), end(101.5, locks=[a_lock()])]
    released = {"event": "released", "t": 102.0, "n": 1, "locks": [a_lock()]}
    recorder = told(migration_start(), *locked, released, COMMIT)
    assert recorder.runs[0].statements[0].locks[0].held_ms == 1000.0


def test_renamed_table_keeps_the_name_that_clients_know() -> None:
    rename = [start(101, "ALTER TABLE line RENAME TO row"), end(101.1, locks=[a_lock()])]
    scan = {"oid": 7, "table": "public.row", "scans": 1, "rows": 5, "new": False}
    recorder = told(migration_start(), *rename, start(101.2, "SELECT a"), end(102, scans=[scan]), COMMIT)
    assert recorder.runs[0].statements[1].scans[0].table == "line"


def test_statement_outside_of_migrations_is_kept_apart() -> None:
    recorder = told(start(101, "INSERT INTO auth_permission VALUES (1)", operation=None), end(102))
    assert recorder.runs == []
    assert len(recorder.around.statements) == 1


def test_close_ends_what_is_still_open() -> None:
    recorder = told(migration_start(), start(101, "ALTER TABLE line ADD b int"))
    recorder.close(105.0)
    [run] = recorder.runs
    assert (run.status, run.seconds, run.statements[0].seconds) == ("failed", 5.0, 4.0)
