"""A migration that fails, hangs or is stopped: what is told of it, and that no data is."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.integration.agent_stage import AGENT, Stage, stage

__all__ = ["stage"]


def test_failure_is_told_without_the_message(stage: Stage) -> None:
    stage.sql("UPDATE shop_big SET code = 'planted-secret' WHERE id < 3")
    stage.migration(
        "0002_unique",
        """
        migrations.RunSQL("ALTER TABLE shop_cust ADD a int"),
        migrations.AddConstraint("big", models.UniqueConstraint(fields=["code"], name="code_once")),
        """,
    )
    told = stage.rehearse()
    assert told.code == 1
    failed = told.one("failed")
    assert {key: failed[key] for key in ("during", "exception", "message", "sqlstate", "operation")} == {
        "during": "migrate",
        "exception": "IntegrityError",
        "message": None,
        "sqlstate": "23505",
        "operation": 1,
    }
    assert (failed["table"], failed["column"], failed["constraint"]) == ("shop_big", None, "code_once")
    assert told.names[-3:] == ["transaction_end", "migration_end", "failed"]
    assert told.all("transaction_end")[-1]["outcome"] == "rollback"
    assert told.one("migration_end")["status"] == "failed"
    assert told.statements("0002_unique")[-1]["sqlstate"] == "23505"
    assert "planted-secret" not in json.dumps(told.events) and "planted-secret" not in told.printed


def test_not_null_without_a_default_names_table_and_column(stage: Stage) -> None:
    stage.migration("0002_bare", 'migrations.RunSQL("ALTER TABLE shop_big ADD a int NOT NULL")')
    failed = stage.rehearse().one("failed")
    assert (failed["sqlstate"], failed["table"], failed["column"]) == ("23502", "shop_big", "a")


def test_frames_lead_to_the_projects_own_code(stage: Stage) -> None:
    stage.write(
        "shop/steps.py",
        """
        def inner(model):
            secret = "planted-secret"
            model.objects.create(id=1, code="x" * 51, n=secret)

        def outer(apps, editor):
            inner(apps.get_model("shop", "Big"))
        """,
    )
    stage.migration("0002_frames", "migrations.RunPython(outer)", before="from shop.steps import outer")
    told = stage.rehearse()
    failed = told.one("failed")
    own = [frame for frame in failed["frames"] if frame["file"].startswith("shop/")]
    assert own == [
        {"file": "shop/steps.py", "line": 7, "function": "outer"},
        {"file": "shop/steps.py", "line": 4, "function": "inner"},
    ]
    assert failed["exception"] == "ValueError" and failed["sqlstate"] is None
    assert all(not frame["file"].startswith(str(AGENT)) for frame in failed["frames"])
    assert any(frame["file"].startswith("django/") for frame in failed["frames"])
    assert len(failed["frames"]) <= 12
    assert "planted-secret" not in json.dumps(told.events)


def test_frames_leave_out_the_agents_own(stage: Stage) -> None:
    """Its rooms stand between Django's: an operation is run by Django, through the agent."""
    stage.python_step("0002_raise", "raise ValueError('planted-secret')")
    frames = stage.rehearse().one("failed")["frames"]
    assert [(frame["file"], frame["function"]) for frame in frames] == [
        ("django/db/migrations/executor.py", "apply_migration"),
        ("django/db/migrations/migration.py", "apply"),
        ("django/db/migrations/operations/special.py", "database_forwards"),
        ("shop/migrations/0002_raise.py", "run"),
    ]


def test_exit_of_the_app_is_a_failure(stage: Stage) -> None:
    stage.python_step("0002_exit", "raise SystemExit('planted-secret')")
    told = stage.rehearse()
    assert (told.code, told.one("failed")["exception"], told.one("failed")["operation"]) == (1, "SystemExit", 0)
    assert "planted-secret" not in json.dumps(told.events)


def test_deferred_constraint_fails_at_the_commit(stage: Stage) -> None:
    stage.python_step("0002_orphan", 'apps.get_model("shop", "Child").objects.create(big_id=999999)')
    told = stage.rehearse()
    failed = told.one("failed")
    assert (failed["exception"], failed["sqlstate"], failed["table"]) == ("IntegrityError", "23503", "shop_child")
    assert [one["outcome"] for one in told.all("transaction_end")][-1] == "rollback"
    assert stage.sql("SELECT count(*) FROM shop_child") == [(500,)]


def test_migrations_before_the_failure_stay_applied(stage: Stage) -> None:
    stage.migration("0002_fine", 'migrations.RunSQL("ALTER TABLE shop_big ADD a int")')
    stage.migration("0003_wrong", 'migrations.RunSQL("ALTER TABLE nowhere ADD a int")')
    told = stage.rehearse()
    assert [(one["name"], one["status"]) for one in told.all("migration_end")] == [
        ("0002_fine", "applied"),
        ("0003_wrong", "failed"),
    ]
    assert told.one("failed")["sqlstate"] == "42P01"


def test_statement_that_fails_alone_in_autocommit(stage: Stage) -> None:
    stage.migration("0002_wrong", 'migrations.RunSQL("ALTER TABLE nowhere ADD a int")', atomic=False)
    told = stage.rehearse()
    assert [(one["how"], one["sqlstate"]) for one in told.statements("0002_wrong")] == [("wrapped", "42P01")]
    assert [one["outcome"] for one in told.of_migration("0002_wrong") if one["event"] == "transaction_end"] == [
        "rollback"
    ]
    assert told.one("failed")["sqlstate"] == "42P01"


def test_concurrently_in_a_transaction_fails_as_it_would_anywhere(stage: Stage) -> None:
    stage.migration("0002_index", 'migrations.RunSQL("CREATE INDEX CONCURRENTLY i ON shop_big (n)")')
    told = stage.rehearse()
    assert [(one["how"], one.get("retried")) for one in told.statements("0002_index")] == [("transaction", None)]
    assert told.one("failed")["sqlstate"] == "25001"


def test_lost_connection_is_a_failure(stage: Stage) -> None:
    stage.python_step("0002_lost", 'editor.execute("SELECT pg_terminate_backend(pg_backend_pid())")')
    told = stage.rehearse()
    assert (told.code, told.one("failed")["exception"], told.one("failed")["sqlstate"]) == (
        1,
        "OperationalError",
        "57P01",
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("atomic", [True, False])
def test_signal_in_a_statement_ends_it_on_the_server_too(stage: Stage, number: int, code: int, atomic: bool) -> None:
    stage.migration(
        "0002_hang", 'migrations.RunSQL("ALTER TABLE shop_big ADD a int; SELECT pg_sleep(60)")', atomic=atomic
    )
    with stage.running() as process:
        assert process.stdin and process.stdout and process.stderr
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "plan":
                process.stdin.write('{"go": true}\n')
                process.stdin.flush()
            if event["event"] == "statement_start" and "pg_sleep" in event["sql"]:
                break
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(5) == code
        assert process.stdout.read() == "" and process.stderr.read() == ""
    deadline = time.monotonic() + 5
    busy = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{stage.name}' AND wait_event = 'PgSleep'"
    while stage.sql(busy) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stage.sql(busy) == [(0,)]
    assert stage.sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop_big'::regclass AND attname = 'a'") == [
        (0,)
    ]


def test_signal_while_waiting_ends_it_quietly(stage: Stage) -> None:
    with stage.running() as process:
        assert process.stdout and process.stderr
        while json.loads(process.stdout.readline())["event"] != "plan":
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143
        assert process.stderr.read() == ""
