"""The app as `./inv serve` runs it, tasks typed as commands, and a proxy that spoils what the app answers."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from greenroom.postgres.postmaster import free_port

ROOT = Path(__file__).resolve().parents[2]
INV = [sys.executable, "-P", "-m", "greenroom"]
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str

    def state(self, check: str) -> str:
        """Of one line of the table of `smoke`: `ok`, `FAIL` or `left out`."""
        found = re.search(rf"^(ok|FAIL|left out) +{re.escape(check)}(?:  |$)", self.out, re.MULTILINE)
        assert found, f"no line {check!r} in:\n{self.out}\n{self.error}"
        return found[1]


def inv(*words: str, env: Mapping[str, str] = {}, cwd: Path = ROOT, timeout: float = 200) -> Said:
    """A task, typed; nobody is there to ask."""
    done = subprocess.run(
        [*INV, *words], cwd=cwd, env=environment(env), capture_output=True, text=True, stdin=-3, timeout=timeout
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    """Ours, without what would lead the tasks elsewhere."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "GREENROOM_SMOKE_"))}
    return {**mine, "PYTHONPATH": str(ROOT), **more}


def chromium_needed() -> None:
    """Skip where there is none; in CI that is a failure."""
    if any(map(shutil.which, CHROMIUM)):
        return
    if os.environ.get("CI"):
        pytest.fail("this needs a Chromium on PATH")
    pytest.skip("this needs a Chromium on PATH")


@dataclass
class Served:
    """A running `./inv serve`."""

    port: int
    password: str
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def member(self) -> dict[str, str]:
        """The variables that let `smoke` log in."""
        return {"GREENROOM_SMOKE_USER": "admin", "GREENROOM_SMOKE_PASSWORD": self.password}


@contextmanager
def served(env: Mapping[str, str] = {}) -> Iterator[Served]:
    """`./inv serve`, typed, until Ctrl-C."""
    port = free_port()
    words = [*INV, "serve", "--port", str(port)]
    with subprocess.Popen(
        words, cwd=ROOT, env=environment(env), stdout=-1, stderr=subprocess.DEVNULL, text=True, stdin=-3
    ) as process:
        assert process.stdout
        greeting = "".join(process.stdout.readline() for _ in range(4))
        try:
            made = re.search(r"with the password (\S+) \(made", greeting)
            yield Served(port, made[1] if made else "", process)
        finally:
            process.send_signal(2)
            process.wait(30)


@dataclass
class Answered:
    """What the app answered, to be spoilt. `path` was asked for."""

    method: str
    path: str
    asked: http.client.HTTPMessage
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str, value: str | None) -> None:
        """Set it, or take it away."""
        self.headers = [(key, text) for key, text in self.headers if key.lower() != name.lower()]
        self.headers += [(name, value)] if value is not None else []


Spoiler = Callable[[Answered], None]


@dataclass
class Proxy:
    """In front of the app; `spoil` is what it does to each answer."""

    port: int
    scheme: str
    spoil: list[Spoiler] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"


@contextmanager
def proxy(app_port: int, certificate: tuple[Path, Path] | None = None) -> Iterator[Proxy]:
    """With a certificate and its key it speaks TLS, as a load balancer does."""
    made = Proxy(0, "https" if certificate else "http")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made, app_port))
    made.port = server.server_port
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(made: Proxy, app_port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            app = http.client.HTTPConnection("127.0.0.1", app_port, timeout=30)
            sent = {**dict(self.headers.items()), "Connection": "close", "X-Forwarded-Proto": made.scheme}
            app.request(self.command, self.path, self.rfile.read(length) or None, sent)
            given = app.getresponse()
            answered = Answered(
                *(self.command, self.path, self.headers, given.status, given.getheaders(), given.read())
            )
            app.close()
            for spoil in made.spoil:
                spoil(answered)
            answered.header("Transfer-Encoding", None)  # it is passed on whole
            answered.header("Content-Length", str(len(answered.body)))
            answered.header("Connection", "close")
            self.send_response_only(answered.status)
            for name, value in answered.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answered.body)

        do_POST = do_GET

        def log_message(self, *words: object) -> None:
            pass

    return Handler
