"""The variables of the app that tests give it: a complete set, none at all, and a command that has only these."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
COMPLETE = {
    "DJANGO_SECRET_KEY": "d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51",
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com, www.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": "hunter2-and-more",
}
SWITCHED_ON = {
    "DJANGO_READ_SSM_PARAMS": "true",
    "DJANGO_SSM_PARAMS_PATH": "/ledger/staging",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
FROM_TASK_DEFINITION = {
    "AWS_DEFAULT_REGION",
    "DJANGO_INTERNAL_PORT_NUM",
    "DJANGO_READ_SSM_PARAMS",
    "DJANGO_SETTINGS_MODULE",
    "DJANGO_SSM_PARAMS_PATH",
}
DEMANDED = {
    *FROM_TASK_DEFINITION,
    "DJANGO_SECRET_KEY",
    "DJANGO_ALLOWED_HOSTS",
    "DJANGO_CSRF_TRUSTED_ORIGINS",
    "DJANGO_EXTERNAL_PROTOCOL",
    "DJANGO_EXTERNAL_HOST_NAME",
    "DJANGO_EXTERNAL_PORT_NUM",
    "DJANGO_DB_HOST",
    "DJANGO_DB_PORT",
    "DJANGO_DB_NAME",
    "DJANGO_DB_USER",
    "DJANGO_DB_PASS",
    "DJANGO_DB_SSLMODE",
    "DJANGO_DB_CONN_MAX_AGE",
    "DJANGO_LOG_LEVEL",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in DEMANDED:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def run(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *argv], cwd=APP, env=env, capture_output=True, text=True, timeout=60)
