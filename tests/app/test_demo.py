from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection

from ledger.demo import load as loading
from ledger.demo.story import FURTHER_TEXTS, WORKS, tell
from ledger.models import Lock, MigrationRun, Rehearsal, Release, Statement

START = "0009_statement_details"
Migrate = Callable[..., Any]


def load(rows: int = 5000, seed: int = 1, *, if_empty: bool = False) -> str:
    out = StringIO()
    call_command("load_demo", rows=rows, seed=seed, if_empty=if_empty, stdout=out)
    return out.getvalue()


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def indexes_and_constraints() -> Any:
    return ask(
        "SELECT array_agg(definition ORDER BY definition) FROM ("
        " SELECT indexdef AS definition FROM pg_indexes WHERE tablename LIKE 'ledger_%' UNION ALL"
        " SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid::regclass::text LIKE 'ledger_%') AS every"
    )


DIGEST = "SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM ledger_statement s"


@pytest.mark.parametrize("state", [START, "0010_statement_sqlstate", "0011_statement_slowest_first", None])
def test_load_at_every_state_since_the_start(migrate: Migrate, state: str | None) -> None:
    apps = migrate(state or "0012_statement_calls_required")
    before = indexes_and_constraints()
    assert load() == "Loaded 5000 statements.\n"
    assert apps.get_model("ledger", "Statement").objects.count() == 5000
    assert indexes_and_constraints() == before
    for model in ("Release", "Rehearsal", "MigrationRun", "Lock", "Stall", "Finding"):
        assert apps.get_model("ledger", model).objects.exists(), model


def test_load_then_the_pending_migrations(migrate: Migrate) -> None:
    migrate(START)
    load()
    assert ask("SELECT count(*) FROM ledger_statement WHERE calls IS NULL") > 0
    digest = ask("SELECT md5(string_agg(sql || seconds, '' ORDER BY id)) FROM ledger_statement")
    migrate("0012_statement_calls_required")
    assert ask("SELECT md5(string_agg(sql || seconds, '' ORDER BY id)) FROM ledger_statement") == digest
    assert Statement.objects.filter(calls__gte=1, sqlstate="").count() == 5000


def test_load_is_the_same_for_the_same_seed(migrate: Migrate) -> None:
    digests = []
    for seed in (1, 1, 2):
        migrate(None)
        migrate(START)
        load(seed=seed)
        digests.append(ask(DIGEST))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.django_db(transaction=True)
def test_load_is_believable() -> None:
    load(20_000)
    median, slow, slowest = ask(
        "SELECT percentile_cont(array[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY seconds) FROM ledger_statement"
    )
    assert 0.0001 < median < 0.01 and slow > 20 * median and slowest < 3600
    assert ask("SELECT count(DISTINCT sql) FROM ledger_statement") > 100
    assert not Statement.objects.filter(sql__contains="{").exists()
    sizes = ask("SELECT array_agg(n ORDER BY n) FROM (SELECT count(*) n FROM ledger_statement GROUP BY migration_id) c")
    assert sizes[-1] > 4 * sizes[len(sizes) // 2]
    assert set(Rehearsal.objects.values_list("verdict", flat=True)) == {"pass", "warn", "fail"}


@pytest.mark.django_db(transaction=True)
def test_load_leaves_sequences_behind_the_rows() -> None:
    load(200)
    run = MigrationRun.objects.first()
    Statement.objects.create(migration=run, position=100_000, sql="SELECT 1", started_s=0, seconds=0)
    Release.objects.create(version="next", git_commit="a" * 40, created_at="2026-01-01T00:00:00Z")
    assert Lock.objects.count() > 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", [1, 2, 79, 81])
def test_load_few_rows(rows: int) -> None:
    load(rows)
    assert Statement.objects.count() == rows


@pytest.mark.django_db(transaction=True)
def test_load_refuses_a_ledger_with_rows() -> None:
    Release.objects.create(version="1.0", git_commit="a" * 40, created_at="2026-01-01T00:00:00Z")
    with pytest.raises(CommandError) as caught:
        load()
    assert str(caught.value) == "The table ledger_release has rows already: demo data goes into an empty ledger only."
    assert caught.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_load_if_empty_begins_anew_after_a_failure_and_leaves_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(loading, "LOCKS", "nowhere")
        with pytest.raises(ProgrammingError):
            load(200, if_empty=True)
    assert load(200, if_empty=True) == "Loaded 200 statements.\n"
    assert load(200, if_empty=True) == "The ledger has rows already: nothing was loaded.\n"
    assert Statement.objects.count() == 200


@pytest.mark.parametrize("state", [None, "0008_checks"])
def test_load_refuses_a_state_that_is_too_early(migrate: Migrate, state: str | None) -> None:
    migrate(state)
    with pytest.raises(CommandError) as caught:
        load()
    assert str(caught.value) == (
        "Demo data needs the migration ledger.0009_statement_details, which this database does not have yet."
    )
    assert caught.value.returncode == 2


@pytest.mark.django_db
def test_load_refuses_no_rows() -> None:
    with pytest.raises(CommandError) as caught:
        load(0)
    assert str(caught.value) == "--rows is 0: it must be at least 1."


@pytest.mark.parametrize("statements", [1, 2, 80, 1000, 12_345])
def test_story_has_exactly_the_statements_asked_for(statements: int) -> None:
    story = tell(statements, seed=7)
    assert sum(story.statements) == statements
    assert min(story.statements) >= 1
    assert len(story.statements) == len(story.migrations) == len(story.works) == len(story.tables)


def test_story_holds_no_literal_in_its_sql() -> None:
    for text in [*(work.text for work in WORKS), *FURTHER_TEXTS]:
        assert "'" not in text.sql and "= 1" not in text.sql


@pytest.mark.full
def test_load_a_million_in_under_fifteen_seconds(migrate: Migrate) -> None:
    migrate(START)
    started = time.monotonic()
    load(1_000_000)
    seconds = time.monotonic() - started
    assert ask("SELECT count(*) FROM ledger_statement") == 1_000_000
    assert seconds < 15, f"{seconds:.1f} s"
