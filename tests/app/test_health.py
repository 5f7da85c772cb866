from __future__ import annotations

import json
import logging

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from config.json_log import JsonFormatter


def test_livez_answers_without_the_database_under_any_host(client: Client) -> None:
    response = client.get("/livez", headers={"host": "10.0.3.7:8000"})
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert response.headers["Cache-Control"] == "no-store"


def test_other_pages_refuse_a_foreign_host(client: Client) -> None:
    assert client.get("/login/", headers={"host": "10.0.3.7:8000"}).status_code == 400


def test_health_is_the_first_middleware() -> None:
    assert settings.MIDDLEWARE[0] == "config.health.HealthMiddleware"


@pytest.mark.django_db
def test_readyz_ready(client: Client) -> None:
    response = client.get("/readyz", headers={"host": "10.0.3.7"})
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


@pytest.mark.django_db
def test_readyz_names_what_is_pending(client: Client) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("ledger", "0011_statement_slowest_first")
    recorder.record_unapplied("ledger", "0012_statement_calls_required")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not ready",
        "reason": "2 migration(s) pending: ledger.0011_statement_slowest_first, ledger.0012_statement_calls_required",
    }


@pytest.mark.django_db(transaction=True)
def test_readyz_database_unreachable(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "hunter2")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "reason": "the database does not answer (OperationalError)"}


def test_log_lines_are_json() -> None:
    record = logging.LogRecord("ledger", logging.ERROR, "file.py", 1, "lost %s", ("it",), None)
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", "ledger", "lost it")
    assert line["time"].endswith("+00:00")


def test_log_lines_carry_the_exception() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        record = logging.LogRecord("a", logging.ERROR, "f", 1, "m", None, (type(error), error, error.__traceback__))
    assert json.loads(JsonFormatter().format(record))["exception"].endswith("ValueError: no")
