"""gunicorn.conf.py, the access log, the health check and what the image is built with, each as the container has it."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from gunicorn.config import Config

from config.access_log import AccessLogger
from config.json_log import JsonFormatter
from tests.app.test_environment import APP, COMPLETE

BIN = Path(sys.executable).parent
ENVIRONMENT = {**COMPLETE, "PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.prod"}
ASKED = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/login/",
    "QUERY_STRING": "token=pl4nted",
    "RAW_URI": "/login/?token=pl4nted",
    "REMOTE_ADDR": "172.17.0.1",
    "HTTP_USER_AGENT": 'a "browser"\n',
}


def gunicorn(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / "gunicorn"), "--config", "gunicorn.conf.py", *words]
    return subprocess.run(argv, cwd=APP, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def told(caplog: pytest.LogCaptureFixture, status: str = "200 OK", **asked: str | None) -> list[dict[str, object]]:
    """The lines of one request that was answered."""
    logger = AccessLogger(Config())
    logger.access_log = logging.getLogger("test.access")
    caplog.set_level(logging.INFO, logger.access_log.name)
    environ = {name: value for name, value in {**ASKED, **asked}.items() if value is not None}
    logger.access(SimpleNamespace(status=status, sent=1154), None, environ, timedelta(microseconds=23772))
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


def settings() -> dict[str, object]:
    code = (
        "import json, runpy; found = runpy.run_path('gunicorn.conf.py'); "
        "print(json.dumps({k: v for k, v in found.items() if isinstance(v, str | int) and not k.startswith('_')}))"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(
        argv, cwd=APP, env={**ENVIRONMENT, "DJANGO_INTERNAL_PORT_NUM": "8123"}, capture_output=True, check=True
    )
    return dict(json.loads(done.stdout))


def test_settings_are_gunicorns_and_stop_in_time() -> None:
    found = settings()
    assert found.keys() <= Config().settings.keys() | {"wsgi_app"}
    definition = json.loads((APP.parent / "ci" / "taskdef.json").read_text())
    stop_seconds = definition["containerDefinitions"][0]["stopTimeout"]
    assert int(str(found["graceful_timeout"])) < stop_seconds <= 120
    assert (found["bind"], found["worker_class"]) == ("0.0.0.0:8123", "gthread")


def test_what_the_app_has_loaded_is_passed_over_by_the_collector() -> None:
    code = "import gc, runpy; runpy.run_path('gunicorn.conf.py')['when_ready'](None); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", code], cwd=APP, env=ENVIRONMENT, capture_output=True, check=True)
    assert int(done.stdout) > 10_000


def test_check_config() -> None:
    done = gunicorn("--check-config")
    assert done.returncode == 0, done.stderr


def test_a_malformed_port_ends_it_and_names_all_that_is_wrong() -> None:
    done = gunicorn(DJANGO_INTERNAL_PORT_NUM="eighty", DJANGO_DB_HOST="", DJANGO_SECRET_KEY="short")
    assert done.returncode != 0
    names = re.findall(r"^  (DJANGO_\w+) ", done.stderr, re.MULTILINE)
    assert names == ["DJANGO_INTERNAL_PORT_NUM", "DJANGO_SECRET_KEY", "DJANGO_DB_HOST"]
    assert "Traceback" not in done.stderr and "eighty" not in done.stderr


def test_a_missing_variable_ends_it_before_it_serves() -> None:
    done = gunicorn(DJANGO_DB_HOST="", DJANGO_INTERNAL_PORT_NUM=str(free_port()))
    assert done.returncode == 3
    assert "DJANGO_DB_HOST is not set" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("level", "logged"), [("INFO", ["GET /login/ 400"]), ("WARNING", [])])
def test_its_log_is_json_at_the_apps_level_and_leaves_out_health_checks_that_went_well(
    level: str, logged: list[str]
) -> None:
    port = free_port()
    argv = [str(BIN / "gunicorn"), "--config", "gunicorn.conf.py"]
    environment = ENVIRONMENT | {
        "DJANGO_INTERNAL_PORT_NUM": str(port),
        "DJANGO_LOG_LEVEL": level,
        "DJANGO_DB_HOST": "nowhere.invalid",
        "DJANGO_EXTERNAL_PROTOCOL": "http",
    }
    with subprocess.Popen(argv, cwd=APP, env=environment, stdout=subprocess.PIPE, text=True) as server:
        checks = [answered(port, "/livez", seconds=20), health(port), answered(port, "/login/?token=pl4nted")]
        server.terminate()
        out, _ = server.communicate(timeout=20)
    assert (checks, server.returncode) == ([200, 0, 400], 0)
    access = [json.loads(line) for line in out.splitlines() if json.loads(line)["logger"] == "gunicorn.access"]
    assert [line["message"] for line in access] == logged
    assert "pl4nted" not in str(access)
    assert health(port) == 1


def answered(port: int, path: str, seconds: float = 5) -> int:
    end = time.monotonic() + seconds
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def health(port: int) -> int:
    argv = [sys.executable, "-I", "config/healthcheck.py", str(port)]
    return subprocess.run(argv, cwd=APP, env={}, stdout=subprocess.DEVNULL, timeout=20).returncode


def test_access_line_is_json_with_numbers(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = told(caplog)
    assert (line["message"], line["status"], line["bytes"], line["milliseconds"]) == (
        "GET /login/ 200",
        200,
        1154,
        23.772,
    )
    assert (line["client"], line["forwarded_for"], line["user_agent"]) == ("172.17.0.1", "-", 'a "browser"\n')
    assert "pl4nted" not in str(line)


def test_access_line_of_what_could_not_be_understood(caplog: pytest.LogCaptureFixture) -> None:
    """Gunicorn refuses it before there is a path."""
    (line,) = told(caplog, "400 Bad Request", PATH_INFO=None, REQUEST_METHOD=None, HTTP_USER_AGENT=None)
    assert (line["status"], line["path"], line["user_agent"]) == (400, None, "-")


def test_access_line_says_whom_a_load_balancer_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = told(caplog, HTTP_X_FORWARDED_FOR="203.0.113.7")
    assert (line["client"], line["forwarded_for"]) == ("172.17.0.1", "203.0.113.7")


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [("/livez", "200 OK", False), ("/readyz", "503 Service Unavailable", True), ("/", "200 OK", True)],
)
def test_health_checks_that_went_well_are_left_out(
    caplog: pytest.LogCaptureFixture, path: str, status: str, kept: bool
) -> None:
    assert bool(told(caplog, status, PATH_INFO=path)) == kept


def test_static_files_are_collected_without_any_variable(tmp_path: Path) -> None:
    code = (
        "from config.settings import build; from pathlib import Path; import sys; "
        "build.STATIC_ROOT = Path(sys.argv[1]); "
        "from django.core.management import execute_from_command_line as run; "
        "run(['manage.py', 'collectstatic', '--no-input', '--verbosity', '0'])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings.build", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=APP, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    collected = {path.name for path in tmp_path.rglob("ledger*")}
    assert any(re.fullmatch(r"ledger\.[0-9a-f]{12}\.css", name) for name in collected)
    assert "ledger.css" not in collected


def test_check_deploy_has_nothing_to_say() -> None:
    environment = ENVIRONMENT | {"DJANGO_EXTERNAL_PROTOCOL": "https"}
    argv = [sys.executable, "-W", "ignore:No directory at:UserWarning", "manage.py", "check", "--deploy"]
    argv += ["--fail-level", "WARNING"]
    done = subprocess.run(argv, cwd=APP, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr
