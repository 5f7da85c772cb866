"""gunicorn.conf.py, the health check and what the image is built with, each as the container has it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from gunicorn.config import Config

from tests.app.variables import APP, COMPLETE

BIN = Path(sys.executable).parent
THREADS = 4
ENVIRONMENT = {**COMPLETE, "PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.prod"}


def gunicorn(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / "gunicorn"), "--config", "gunicorn.conf.py", *words]
    return subprocess.run(argv, cwd=APP, env=ENVIRONMENT | environment, capture_output=True, text=True, timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


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
    assert (found["bind"], found["worker_class"]) == ("0.0.0.0:8123", "config.web_worker.Worker")
    assert (
        found["worker_tmp_dir"] == "/dev/shm"
    )  # gunicorn's own wish: on no disk, and there on a read-only file system


def test_the_collector_rests_until_workers_are_made_and_passes_over_what_was_loaded() -> None:
    code = (
        "import gc, runpy; conf = runpy.run_path('gunicorn.conf.py'); rests = not gc.isenabled(); "
        "conf['when_ready'](None); conf['pre_fork'](None, None); print(rests, gc.isenabled(), gc.get_freeze_count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=APP, env=ENVIRONMENT, capture_output=True, check=True, text=True
    )
    rests, works, frozen = done.stdout.split()
    assert (rests, works) == ("True", "True")
    assert int(frozen) > 10_000


def test_check_config() -> None:
    done = gunicorn("--check-config")
    assert done.returncode == 0, done.stderr


def test_a_malformed_port_ends_it_and_names_all_that_is_wrong() -> None:
    done = gunicorn(DJANGO_INTERNAL_PORT_NUM="eighty", DJANGO_DB_HOST="", DJANGO_SECRET_KEY="short")
    assert done.returncode == 3
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
        out, _ = server.communicate(timeout=45)  # as long as stopTimeout
    assert (checks, server.returncode) == ([200, 0, 400], 0)
    access = [json.loads(line) for line in out.splitlines() if json.loads(line)["logger"] == "gunicorn.access"]
    assert [line["message"] for line in access] == logged
    assert "pl4nted" not in str(access)
    assert health(port) == 1


HANGING = """
from pathlib import Path
from time import sleep
from uuid import uuid4

def application(environ, start_response):
    if environ["PATH_INFO"] != "/livez":
        Path(f"waits-{uuid4()}").touch()
        while not Path("go on").exists():
            sleep(0.02)
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""


def test_livez_answers_while_every_other_thread_waits(tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    port = free_port()
    argv = [str(BIN / "gunicorn"), "--config", str(APP / "gunicorn.conf.py"), "--workers", "1", "hanging:application"]
    environment = ENVIRONMENT | {"DJANGO_INTERNAL_PORT_NUM": str(port), "PYTHONPATH": str(APP)}
    with subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as server:
        visitors = ThreadPoolExecutor()
        try:
            assert answered(port, "/livez", seconds=20) == 200
            pages = [visitors.submit(answered, port, "/", seconds=60) for _ in range(THREADS + 2)]
            assert waiting(tmp_path, THREADS) == THREADS
            with socket.create_connection(("127.0.0.1", port)):
                assert answered(port, "/livez", seconds=20) == 200
                assert waiting(tmp_path, THREADS) == THREADS
                (tmp_path / "go on").touch()
                assert [page.result() for page in pages] == [200] * len(pages)
                server.terminate()
                assert server.wait(timeout=20) == 0  # who says nothing holds nobody up: graceful_timeout is longer
        finally:
            (tmp_path / "go on").touch()
            visitors.shutdown()
            server.kill()


def waiting(directory: Path, enough: int) -> int:
    """How many requests wait there, as soon as there are enough of them."""
    end = time.monotonic() + 20
    while (found := len(list(directory.glob("waits-*")))) < enough and time.monotonic() < end:
        time.sleep(0.02)
    return found


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
