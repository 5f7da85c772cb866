"""Why a migration did not finish: what is to blame, and what had been done by then."""

from __future__ import annotations

from typing import Any

from greenroom.rehearsal.failure import failure
from greenroom.rehearsal.observer import Hang
from greenroom.rehearsal.recorder import Recorder
from tests.rehearsal.test_recorder import COMMIT, end, migration_start, start, told

FAILED = {"event": "failed", "t": 106.0, "during": "migrate", "exception": "ValueError", "message": None, "frames": []}
ENDED = {"event": "migration_end", "t": 103.5, "app": "shop", "name": "0002", "status": "applied"}
DONE = {"event": "done", "t": 107.0}


def why(*events: dict[str, Any], hang: Hang | None = None, exit_code: int | None = 1) -> Any:
    recorder: Recorder = told(*events)
    recorder.close(110.0)
    return failure(recorder, hang, 30.0, exit_code)


def test_statement_that_failed_is_named() -> None:
    error = why(
        migration_start(),
        start(101, "SELECT 1"),
        end(102),
        start(103, "UPDATE line SET a = 'x'"),
        end(104, exception="DataError", sqlstate="22P02"),
        {**FAILED, "exception": "DataError", "sqlstate": "22P02"},
    )
    assert (error.kind, error.statement, error.sqlstate) == ("migration failed", "UPDATE line SET a = $1", "22P02")


def test_statement_that_went_well_is_not_to_blame() -> None:
    """The app's own code raised, after its last statement, or before its first."""
    ran = (migration_start(), start(101, "SELECT 1"), end(102))
    assert why(*ran, FAILED).statement is None
    error = why(*ran, COMMIT, ENDED, migration_start(105.0, "0003"), FAILED)
    assert (error.statement, error.migration, error.applied) == (None, "shop.0003", ["shop.0002"])


def test_hang_in_a_statement_names_it() -> None:
    error = why(migration_start(), start(101, "SELECT pg_sleep(60)"), hang=Hang("ShareLock on line"))
    assert (error.kind, error.statement) == ("timeout", "SELECT pg_sleep($1)")
    assert error.waiting_for == "ShareLock on line"
    assert error.advice == "It was stopped after 30 s; --timeout SECONDS allows more."


def test_hang_in_the_apps_own_code_says_so() -> None:
    error = why(migration_start(), start(101, "SELECT 1"), end(102), hang=Hang(None))
    assert error.statement is None
    assert error.advice.endswith("No statement was running: the time went into the app's own code.")


def test_process_that_died_says_how() -> None:
    assert "with signal 9 in the middle" in why(migration_start(), exit_code=-9).advice
    assert "with exit code 3 in the middle" in why(migration_start(), exit_code=3).advice


def test_nothing_went_wrong() -> None:
    assert why(migration_start(), COMMIT, ENDED, DONE) is None


def test_advice_blames_the_data_only_where_the_server_does() -> None:
    ran = (migration_start(), start(101, "SELECT 1"), end(102))
    assert why(*ran, {**FAILED, "sqlstate": "23505"}).advice.startswith("The data has rows")
    assert why(*ran, {**FAILED, "sqlstate": "55P03"}).advice.startswith("The frames and the statement show")


def test_refused_connection_is_named_with_what_opens_it() -> None:
    recorder = Recorder(refused=["smtp.example.com:25"])
    recorder.take({"event": "failed", "t": 1.0, "during": "migrate", "exception": "Refused"})
    error = failure(recorder, None, 60, 1)
    assert error is not None
    assert error.advice == (
        "It needs smtp.example.com:25, which is closed while it migrates; "
        "--allow-network opens all but other databases."
    )


def test_django_that_refuses_to_begin_is_no_fault_of_a_statement() -> None:
    refused = {**FAILED, "exception": "CommandError"}
    assert why(refused).advice == "Django refuses to begin; `manage.py migrate` in the project says why."
    assert why(migration_start(), refused).advice.startswith("The frames and the statement show")


def test_concurrently_on_a_partitioned_table_says_what_to_do() -> None:
    """What the server says of CREATE INDEX CONCURRENTLY and 0A000 is said of partitioned tables."""
    refused = {"exception": "NotSupportedError", "sqlstate": "0A000"}
    build = 'CREATE INDEX CONCURRENTLY "i" ON "line" ("a")'
    error = why(migration_start(), start(101, build), end(102, **refused), {**FAILED, **refused})
    assert error.advice.startswith("CONCURRENTLY is refused on a partitioned table: each partition")
    error = why(migration_start(), start(101, "ALTER TABLE line ADD a int"), end(102, **refused), {**FAILED, **refused})
    assert "partition" not in error.advice
