"""A line for each request: what it says, that none is lost, and that the log is nobody's undoing."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from gunicorn.config import Config

from config import access_log
from config.access_log import AccessLogger
from config.json_log import JsonFormatter
from tests.app.test_web_server import BIN, ENVIRONMENT, answered, free_port
from tests.app.variables import APP

ASKED = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/login/",
    "QUERY_STRING": "token=pl4nted",
    "RAW_URI": "/login/?token=pl4nted",
    "REMOTE_ADDR": "172.17.0.1",
    "HTTP_USER_AGENT": 'a "browser"\n',
}


def told(
    caplog: pytest.LogCaptureFixture, status: str | None = "200 OK", **asked: str | None
) -> list[dict[str, object]]:
    """The lines of one request that was answered."""
    logger = AccessLogger(Config())
    logger.access_log = logging.getLogger("test.access")
    caplog.set_level(logging.INFO, logger.access_log.name)
    environ = {name: value for name, value in {**ASKED, **asked}.items() if value is not None}
    logger.access(SimpleNamespace(status=status, sent=1154), None, environ, timedelta(microseconds=23772))
    logger.write_together()
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


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


def test_access_lines_are_written_together_each_with_the_time_of_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    logger = AccessLogger(Config())
    logger.access_log = logging.getLogger("test.access")
    caplog.set_level(logging.INFO, logger.access_log.name)
    begun = time.time()
    for path in ("/first/%s", "/second"):
        logger.access(SimpleNamespace(status="200 OK", sent=1), None, {**ASKED, "PATH_INFO": path}, timedelta())
    answered_by = time.time()
    assert not caplog.records
    end = time.monotonic() + 5
    while len(caplog.records) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert [record.getMessage() for record in caplog.records] == ["GET /first/%s 200", "GET /second 200"]
    assert all(begun <= record.created <= answered_by for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "status", "kept"),
    [("/livez", "200 OK", False), ("/readyz", "503 Service Unavailable", True), ("/", "200 OK", True)],
)
def test_health_checks_that_went_well_are_left_out(
    caplog: pytest.LogCaptureFixture, path: str, status: str, kept: bool
) -> None:
    assert bool(told(caplog, status, PATH_INFO=path)) == kept


class Kept(logging.Handler):
    """Keeps the messages; stands still while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def emit(self, record: logging.LogRecord) -> None:
        assert self.gate.wait(20)
        self.messages.append(record.getMessage())


def logger_into(handler: logging.Handler) -> AccessLogger:
    logger = AccessLogger(Config())
    logger.access_log = logging.Logger("test.access")
    logger.access_log.addHandler(handler)
    return logger


def log(logger: AccessLogger, path: str) -> None:
    logger.access(SimpleNamespace(status="200 OK", sent=1), None, {**ASKED, "PATH_INFO": path}, timedelta())


def written(kept: Kept, number: int) -> list[str]:
    """Waits for them."""
    end = time.monotonic() + 10
    while len(kept.messages) < number and time.monotonic() < end:
        time.sleep(0.01)
    return kept.messages


def test_lines_of_many_threads_are_all_written_once_and_each_threads_in_order() -> None:
    kept = Kept()
    logger = logger_into(kept)

    def asks(who: int) -> None:
        for number in range(500):
            log(logger, f"/{who}/{number}")

    threads = [threading.Thread(target=asks, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    messages = written(kept, 4000)
    assert len(messages) == 4000
    for who in range(8):
        assert [line for line in messages if line.startswith(f"GET /{who}/")] == [
            f"GET /{who}/{number} 200" for number in range(500)
        ]


def test_a_line_is_written_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    kept = Kept()
    logger = logger_into(kept)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Timer, "start", refused)
        log(logger, "/first")
        assert kept.messages == ["GET /first 200"]
    log(logger, "/second")
    assert written(kept, 2)[1:] == ["GET /second 200"]


def test_where_nobody_takes_the_lines_no_more_wait_than_the_limit_and_no_threads_gather(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "MOST_WAITING", 10)
    monkeypatch.setattr(access_log, "TOGETHER_SECONDS", 0.001)
    kept = Kept()
    kept.gate.clear()
    logger = logger_into(kept)
    log(logger, "/0")
    end = time.monotonic() + 10
    while logger.waiting and time.monotonic() < end:  # the first is taken, and its writer stands still
        time.sleep(0.01)
    before = threading.active_count()
    asking = threading.Thread(target=lambda: [log(logger, f"/{number}") for number in range(1, 31)])
    asking.start()
    while len(logger.waiting) < 10 and time.monotonic() < end:
        time.sleep(0.01)
    asking.join(0.3)
    assert asking.is_alive() and len(logger.waiting) == 10
    assert threading.active_count() <= before + 2  # who asks, and one more writer
    kept.gate.set()
    asking.join(10)
    assert written(kept, 31) == [f"GET /{number} 200" for number in range(31)]


def test_a_line_that_cannot_be_written_takes_no_other_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    class Stream:
        lines: list[str] = []

        def write(self, text: str) -> None:
            if "/first" in text:
                raise BrokenPipeError
            self.lines.append(text.strip())

        def flush(self) -> None: ...

    stream = Stream()
    logger = logger_into(logging.StreamHandler(stream))
    for path in ("/first", "/second"):
        log(logger, path)
    logger.write_together()
    assert stream.lines == ["GET /second 200"]
    assert "BrokenPipeError" in capsys.readouterr().err


def test_an_app_that_fails_before_it_has_a_status_has_a_line(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = told(caplog, None)
    assert line["status"] == 500


class Server(NamedTuple):
    process: subprocess.Popen[str]
    port: int
    out: Path

    def lines(self, logger: str = "gunicorn.access") -> list[str]:
        told = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [line["message"] for line in told if line["logger"] == logger]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=40)


@contextmanager
def running(out: Path) -> Iterator[Server]:
    """The container's web server, which answers 400 for any page: it is asked for a host that is not its own."""
    port = free_port()
    environment = ENVIRONMENT | {"DJANGO_INTERNAL_PORT_NUM": str(port), "DJANGO_EXTERNAL_PROTOCOL": "http"}
    argv = [str(BIN / "gunicorn"), "--config", "gunicorn.conf.py"]
    with out.open("w") as file, subprocess.Popen(argv, cwd=APP, env=environment, stdout=file, text=True) as process:
        try:
            answered(port, "/livez", seconds=20)
            yield Server(process, port, out)
        finally:
            if process.poll() is None:
                process.kill()


def ask_until_refused(port: int, who: int, answers: list[str]) -> None:
    for number in range(100_000):
        path = f"/{who}/{number}"
        try:
            urlopen(f"http://127.0.0.1:{port}{path}", timeout=20)
        except HTTPError as error:
            answers.append(f"GET {path} {error.code}")
        except OSError:
            return


def test_sigterm_in_the_middle_of_traffic_leaves_a_line_for_every_answer(tmp_path: Path) -> None:
    answers: list[str] = []
    with running(tmp_path / "out") as server:
        asking = [threading.Thread(target=ask_until_refused, args=(server.port, who, answers)) for who in range(6)]
        for thread in asking:
            thread.start()
        end = time.monotonic() + 20
        while len(answers) < 100 and time.monotonic() < end:
            time.sleep(0.01)
        assert server.stop() == 0
        for thread in asking:
            thread.join(20)
    counted = Counter(server.lines())
    assert len(answers) >= 100
    assert set(counted.values()) == {1}
    assert set(answers) - counted.keys() == set()


@pytest.mark.parametrize("by", [signal.SIGABRT, signal.SIGQUIT])
def test_a_worker_that_is_ended_at_once_has_written_its_lines(tmp_path: Path, by: signal.Signals) -> None:
    """SIGABRT is gunicorn's own, for a worker that has said nothing for too long."""
    with running(tmp_path / "out") as server:
        workers = [int(line.rpartition(" ")[2]) for line in server.lines("gunicorn.error") if "Booting" in line]
        paths = [f"/{number}" for number in range(20)]
        assert {answered(server.port, path) for path in paths} == {400}
        for worker in workers:
            os.kill(worker, by)
        end = time.monotonic() + 20
        while len(server.lines("gunicorn.error")) < 5 and time.monotonic() < end:
            time.sleep(0.02)
        assert server.stop() == 0
    assert Counter(server.lines()) == Counter(f"GET {path} 400" for path in paths)
