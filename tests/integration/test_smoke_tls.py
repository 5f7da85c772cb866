"""Smoke over TLS, where http has to lead to https: the app's container behind a load balancer that speaks both.

Its ports are 443 and 80 of localhost for whoever asks; only the step from a port to a socket is ours.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from greenroom.postgres.postmaster import free_port
from greenroom.smoke.member import Credentials
from greenroom.smoke.site import Site
from greenroom.smoke.suite import Outcome, smoke
from tests.integration.images import PUBLISHED, Database, built, container, database, get, manage, url
from tests.integration.running import Answered, proxy

__all__ = ["built", "database"]
pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.full]

REDIRECT = "http is sent to https"
MEMBER = Credentials("smoke", "pl4nted-by-a-test")
MAKE_MEMBER = (
    "from django.contrib.auth import get_user_model;"
    f"get_user_model().objects.create_user({MEMBER.user!r}, password={MEMBER.password!r})"
)


@pytest.fixture(scope="module")
def app(database: Database) -> Iterator[int]:
    """The port of the app, which is told that browsers reach it by https."""
    manage(database, "shell", "--command", MAKE_MEMBER)
    told = {"DJANGO_DB_HOST": "db", "DJANGO_EXTERNAL_PROTOCOL": "https"}
    with container("--network", database.network, *PUBLISHED, **told) as made:
        assert get(f"{url(made)}/readyz") == (200, '{"status": "ready"}')  # the load balancer's, by plain http
        yield int(urlsplit(url(made)).port or 0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("certificate")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(place / "key"), "-out", str(place / "cert")]
    subprocess.run(words, check=True, capture_output=True)
    return place / "cert", place / "key"


def asked(
    monkeypatch: pytest.MonkeyPatch, app: int, certificate: tuple[Path, Path], plain: int, *members: Credentials
) -> dict[str, Outcome]:
    """What smoke found, by its checks; `plain` is where port 80 leads."""
    connect = socket.create_connection
    with proxy(app, certificate) as secure, monkeypatch.context() as patched:
        leads = {443: secure.port, 80: plain}

        def connected(address: tuple[str, int], *words: Any, **further: Any) -> socket.socket:
            return connect((address[0], leads.get(address[1], address[1])), *words, **further)

        patched.setattr(socket, "create_connection", connected)
        patched.setenv("SSL_CERT_FILE", str(certificate[0]))
        found = smoke(Site("https://localhost"), credentials=next(iter(members), None))
    return {outcome.name: outcome for outcome in found}


def test_smoke_passes_behind_a_load_balancer_that_speaks_both(
    monkeypatch: pytest.MonkeyPatch, app: int, certificate: tuple[Path, Path]
) -> None:
    with proxy(app) as plain:
        found = asked(monkeypatch, app, certificate, plain.port, MEMBER)
    assert {name: outcome.note for name, outcome in found.items() if outcome.state != "ok"} == {}
    assert {REDIRECT, "HSTS and Secure cookies", "log-in", "log-out"} <= found.keys()


def test_smoke_passes_where_port_80_leads_to_the_app_itself(
    monkeypatch: pytest.MonkeyPatch, app: int, certificate: tuple[Path, Path]
) -> None:
    """No X-Forwarded-Proto at all."""
    found = asked(monkeypatch, app, certificate, app)
    assert (found[REDIRECT].state, found[REDIRECT].note) == ("ok", "")


def answers(answered: Answered) -> None:
    answered.status = 200
    answered.header("Location", None)


def leads_elsewhere(answered: Answered) -> None:
    answered.header("Location", "https://localhost.example.com/login/")


def leads_for_now(answered: Answered) -> None:
    answered.status = 302


@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (answers, "http answers 200 "),
        (leads_elsewhere, "http answers 301 https://localhost.example.com/login/"),
        (leads_for_now, "http answers 302 https://localhost/login/"),
    ],
)
def test_smoke_fails_where_http_does_not_lead_to_https(
    monkeypatch: pytest.MonkeyPatch, app: int, certificate: tuple[Path, Path], spoil: Any, note: str
) -> None:
    with proxy(app) as plain:
        plain.spoil.append(spoil)
        found = asked(monkeypatch, app, certificate, plain.port)
    assert (found[REDIRECT].state, found[REDIRECT].note) == ("FAIL", note)


def test_smoke_leaves_it_out_where_nobody_listens_at_port_80(
    monkeypatch: pytest.MonkeyPatch, app: int, certificate: tuple[Path, Path]
) -> None:
    found = asked(monkeypatch, app, certificate, free_port())
    assert (found[REDIRECT].state, found[REDIRECT].note) == ("left out", "port 80: Connection refused")


def plainly(app: int, path: str, **headers: str) -> HTTPResponse:
    """One request to the container itself; the answer is read."""
    connection = HTTPConnection("127.0.0.1", app, timeout=20)
    connection.request("GET", path, headers={"Host": "localhost", **headers})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "http"}])
def test_app_sends_plain_http_to_https(app: int, headers: dict[str, str]) -> None:
    answer = plainly(app, "/login/?next=/", **headers)
    assert (answer.status, answer.headers["Location"]) == (301, "https://localhost/login/?next=/")
    assert answer.headers["Set-Cookie"] is None


def test_app_answers_what_came_by_https(app: int) -> None:
    answer = plainly(app, "/login/", **{"X-Forwarded-Proto": "https"})
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (
        200,
        "max-age=31536000; includeSubDomains; preload",
    )
    assert "Secure" in answer.headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_answered_by_plain_http(app: int, path: str) -> None:
    assert plainly(app, path).status == 200
