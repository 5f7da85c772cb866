"""`./inv serve` and `./inv smoke`, typed: against the app as it is, and with one thing wrong at a time."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from greenroom.postgres.postmaster import free_port
from tests.integration.running import (
    INV,
    ROOT,
    Answered,
    Proxy,
    Served,
    Spoiler,
    chromium_needed,
    environment,
    inv,
    proxy,
    served,
)

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("serving")]

HSTS = "max-age=31536000; includeSubDomains"


@pytest.fixture(scope="module")
def app() -> Iterator[Served]:
    with served() as running:
        yield running


@pytest.fixture
def spoiled(app: Served) -> Iterator[Proxy]:
    with proxy(app.port) as between:
        yield between


def test_smoke_reads_only_without_a_member(app: Served) -> None:
    said = inv("smoke", "--url", app.url, "--no-browser")
    assert said.code == 0, said.out
    assert said.out.splitlines()[-1] == f"{app.url}: 9 passed, 6 left out"
    assert "GREENROOM_SMOKE_USER and GREENROOM_SMOKE_PASSWORD" in said.out
    assert "in a browser" not in said.out
    assert said.state("static files have hashed names") == "left out"


def test_smoke_logs_in_and_out_and_looks_in_a_browser(app: Served) -> None:
    chromium_needed()
    said = inv("smoke", "--url", app.url, env=app.member)
    assert said.code == 0, said.out
    assert said.out.splitlines()[-1] == f"{app.url}: 13 passed, 3 left out"
    for check in ("log-in", "members' pages", "log-out", "in a browser"):
        assert said.state(check) == "ok"
    assert app.password not in said.out + said.error


def test_smoke_finds_the_app_by_the_registrys_variables(app: Served) -> None:
    said = inv("smoke", "--no-browser", env={"DJANGO_EXTERNAL_PORT_NUM": str(app.port)})
    assert (said.code, said.out.splitlines()[-1]) == (0, f"{app.url}: 9 passed, 6 left out")


@pytest.mark.parametrize("task", ["smoke", "serve"])
def test_a_port_that_is_no_number_is_named_by_its_variable(task: str) -> None:
    said = inv(task, env={"DJANGO_EXTERNAL_PORT_NUM": "abc"})
    assert (said.code, said.out) == (2, "")
    assert said.error.startswith("DJANGO_EXTERNAL_PORT_NUM is no number.\n  Set it to one, such as 8000")


def test_smoke_runs_alone_with_the_standard_library(app: Served, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "greenroom" / "smoke", tmp_path / "greenroom" / "smoke")
    (tmp_path / "greenroom" / "__init__.py").touch()
    words = [sys.executable, "-S", "-E", "-m", "greenroom.smoke", app.url]
    done = subprocess.run(words, cwd=tmp_path, env=app.member, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{app.url}: 12 passed, 3 left out"


def test_smoke_wrong_password(app: Served) -> None:
    said = inv("smoke", "--url", app.url, "--no-browser", env={**app.member, "GREENROOM_SMOKE_PASSWORD": "pl4nted"})
    assert said.code == 1
    assert (said.state("log-in"), said.state("log-out")) == ("FAIL", "left out")
    assert "check GREENROOM_SMOKE_USER and GREENROOM_SMOKE_PASSWORD" in said.out
    assert "pl4nted" not in said.out + said.error


def on(path: str, spoil: Spoiler) -> Spoiler:
    """Only there."""
    return lambda answered: spoil(answered) if answered.path.startswith(path) else None


def status(code: int) -> Spoiler:
    def spoil(answered: Answered) -> None:
        answered.status = code

    return spoil


def header(name: str, value: str | None) -> Spoiler:
    return lambda answered: answered.header(name, value)


def body(text: bytes) -> Spoiler:
    def spoil(answered: Answered) -> None:
        answered.body = text

    return spoil


def accepts_all(answered: Answered) -> None:
    if answered.status in (400, 403):
        answered.status = 200


DEFECTS = {
    "/livez answers": [on("/livez", status(500)), on("/livez", header("Cache-Control", None)), on("/livez", body(b""))],
    "/readyz: database and migrations": [on("/readyz", status(503))],
    "public pages": [on("/admin/login/", status(500)), on("/login/", body(b"<p>"))],
    "members' pages lead to the log-in": [
        lambda answered: status(200)(answered) if answered.path == "/" else None,
        header("Location", "https://elsewhere.example.com/login/"),
    ],
    "static files are served": [on("/static/", status(404)), on("/static/", header("Content-Type", "text/html"))],
    "static files have hashed names": [header("Server", "gunicorn")],
    "404 for what there is not": [
        on("/smoke-", status(200)),
        on("/smoke-", body(b"Traceback (most recent call last)")),
    ],
    "security headers": [
        header("X-Frame-Options", None),
        header("Referrer-Policy", "unsafe-url"),
        header("Set-Cookie", "csrftoken=1; Path=/"),
    ],
    "a forged form is refused": [accepts_all],
    "a foreign host is refused": [accepts_all],
}


@pytest.mark.parametrize(
    ("check", "number"), [(check, number) for check, spoilers in DEFECTS.items() for number in range(len(spoilers))]
)
def test_smoke_fails_by_the_check_that_a_defect_is_for(spoiled: Proxy, check: str, number: int) -> None:
    spoiled.spoil.append(DEFECTS[check][number])
    said = inv("smoke", "--url", spoiled.url, "--no-browser")
    assert (said.code, said.state(check)) == (1, "FAIL"), said.out


def test_smoke_fails_when_the_browser_is_refused_the_style(spoiled: Proxy) -> None:
    chromium_needed()
    spoiled.spoil.append(on("/static/", header("Content-Type", "text/plain")))
    said = inv("smoke", "--url", spoiled.url)
    assert (said.code, said.state("in a browser")) == (1, "FAIL"), said.out


def test_smoke_sends_no_password_to_another_host(app: Served, spoiled: Proxy) -> None:
    def elsewhere(answered: Answered) -> None:
        answered.body = answered.body.replace(b'<form method="post"', b'<form method="post" action="http://127.0.0.2/"')

    spoiled.spoil.append(on("/login/", elsewhere))
    said = inv("smoke", "--url", spoiled.url, "--no-browser", env=app.member)
    assert said.state("log-in") == "FAIL"
    assert "http://127.0.0.2/ is not of this site" in said.out


@pytest.mark.parametrize(
    ("told", "state"),
    [([header("Strict-Transport-Security", HSTS)], "FAIL"), ([], "FAIL"), (["hsts", "secure"], "ok")],
    ids=["cookies", "nothing", "both"],
)
def test_smoke_over_tls_wants_hsts_and_secure_cookies(
    app: Served, tmp_path: Path, told: list[Spoiler | str], state: str
) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    with proxy(app.port, (certificate, key)) as between:
        for spoil in told:
            between.spoil.append(
                {"hsts": header("Strict-Transport-Security", HSTS), "secure": secure}.get(spoil, spoil)
            )  # type: ignore[arg-type]
        said = inv("smoke", "--url", between.url, "--no-browser", env={"SSL_CERT_FILE": str(certificate)})
        assert said.state("HSTS and Secure cookies") == state, said.out
        refused = inv("smoke", "--url", between.url, "--no-browser")
    assert refused.code == 2
    assert refused.error.startswith(f"nothing answers at {between.url}: its certificate cannot be trusted (")


def secure(answered: Answered) -> None:
    answered.headers = [(k, f"{v}; Secure" if k == "Set-Cookie" else v) for k, v in answered.headers]


def test_smoke_says_that_nothing_answers() -> None:
    url = f"http://localhost:{free_port()}"
    said = inv("smoke", "--url", url)
    assert (said.code, said.out) == (2, "")
    assert said.error == (
        f"nothing answers at {url}: Connection refused.\n  Is it up? ./inv up, or ./inv serve; elsewhere: --url\n"
    )


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://localhost:8000/login/", "http://[", "http://"]
)
def test_smoke_refuses_what_is_no_site(url: str) -> None:
    said = inv("smoke", "--url", url)
    assert (said.code, said.out) == (2, "")
    assert said.error.startswith(
        "the URL must be a scheme, a host and a port, such as https://ledger.example.com:8443.\n"
    )


def test_smoke_refuses_half_a_member() -> None:
    said = inv("smoke", "--url", "http://localhost:1", env={"GREENROOM_SMOKE_USER": "admin"})
    assert said.code == 2
    assert said.error.startswith("only one of GREENROOM_SMOKE_USER and GREENROOM_SMOKE_PASSWORD is set.\n")


def test_serve_says_that_the_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = inv("serve", "--port", str(port))
    assert (said.code, said.out) == (2, "")
    assert said.error.splitlines()[0] == f"port {port} cannot be used: address already in use."
    assert "--port" in said.error.splitlines()[1]


@pytest.mark.parametrize("port", ["0", "70000", "-1", "x", "80.5", "9" * 5000])
def test_serve_refuses_what_is_no_port(port: str) -> None:
    said = inv("serve", "--port", port)
    assert (said.code, said.out, said.error) == (2, "", f"--port is a number from 1 to 65535, not {port}.\n")


def test_serve_takes_the_password_that_the_shell_has() -> None:
    with served({"DJANGO_SUPERUSER_PASSWORD": "pl4nted-by-the-shell"}) as running:
        assert running.password == ""
        member = {**running.member, "GREENROOM_SMOKE_PASSWORD": "pl4nted-by-the-shell"}
        said = inv("smoke", "--url", running.url, "--no-browser", env=member)
    assert (said.code, said.state("log-in")) == (0, "ok")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_serve_leaves_nothing_behind(number: signal.Signals, code: int, tmp_path: Path) -> None:
    port = free_port()
    env = environment({"TMPDIR": str(tmp_path)})
    words = [*INV, "serve", "--port", str(port)]
    with subprocess.Popen(words, cwd=ROOT, env=env, stdout=-1, stderr=-3, text=True, stdin=-3) as process:
        assert process.stdout
        assert process.stdout.readline() == f"http://localhost:{port}\n"
        with urlopen(f"http://localhost:{port}/readyz") as answer:
            assert answer.status == 200
        process.send_signal(number)
        assert process.wait(30) == code
    until_gone(str(tmp_path))
    until_gone(f"127.0.0.1:{port}")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    if number != signal.SIGKILL:  # what was killed is removed by the next start
        assert [
            path for place in tmp_path.glob("greenroom-*") for path in place.iterdir() if path.name != "snapshots"
        ] == []


def until_gone(words: str) -> None:
    """No process has them in its command line any more."""
    deadline = time.monotonic() + 10
    while any(words in line for line in command_lines()):
        assert time.monotonic() < deadline, [line for line in command_lines() if words in line]
        time.sleep(0.05)


def command_lines() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has just ended
            continue
    return found
