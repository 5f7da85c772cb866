"""Asking the app: one origin, its cookies, and no redirect followed."""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass, field
from email.message import Message
from http.cookiejar import CookieJar
from urllib.error import URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import (
    BaseHandler,
    HTTPCookieProcessor,
    HTTPErrorProcessor,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

TIMEOUT_SECONDS = 10.0
MOST_BYTES = 8_000_000
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PORTS = {"http": 80, "https": 443}
AGENT = "greenroom-smoke"


class NothingAnswers(Exception):
    """No answer of HTTP came; the message says why in a few words."""


class BadUrl(Exception):
    """The URL is none of a site; the message is one sentence."""


@dataclass(frozen=True)
class Answer:
    """`url` is the one that was asked for; `seconds` until the last byte."""

    url: str
    status: int
    headers: Message
    body: bytes = field(repr=False)
    seconds: float

    @property
    def text(self) -> str:
        """The body, whatever its bytes are."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def kind(self) -> str:
        """`text/html`."""
        return self.headers.get_content_type()

    @property
    def target(self) -> str:
        """Where a redirect leads, absolute; empty where there is none."""
        location = self.headers.get("Location", "")
        return urljoin(self.url, location) if location else ""


class Site:
    """The app at a URL such as `https://ledger.example.com`. Raises BadUrl for what is no origin."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self.origin, self.host, self.port = _origin(url)
        self.https = self.origin.startswith("https:")
        self.timeout_seconds = timeout_seconds
        self.cookies = CookieJar()
        self._opener = _opener(self.host, HTTPCookieProcessor(self.cookies))
        self._without_cookies = _opener(self.host)

    def get(self, path: str, *, host: str = "") -> Answer:
        """`host` is another name to ask for, at the same address. Raises NothingAnswers."""
        return self._ask(self._request(path), host)

    def post(self, path: str, fields: dict[str, str], *, cookies: bool = True) -> Answer:
        """As a form of a page of the site. Raises NothingAnswers."""
        request = self._request(path, urlencode(fields).encode())
        request.add_header("Referer", request.full_url)
        request.add_header("Origin", self.origin)
        return self._ask(request, cookies=cookies)

    def plain(self, path: str) -> Answer:
        """The same page over http, at its own port. Raises NothingAnswers."""
        return self._ask(Request(f"http://{_bracketed(self.host)}{path}"))

    def absolute(self, path: str) -> str:
        """The URL of a path of the site."""
        return urljoin(f"{self.origin}/", path)

    def owns(self, url: str) -> bool:
        """Whether a URL leads to this site."""
        return url == self.origin or url.startswith(f"{self.origin}/")

    def _request(self, path: str, body: bytes | None = None) -> Request:
        """Of this site alone, whatever a page says: a form's fields hold a password."""
        url = self.absolute(path)
        if not self.owns(url):
            raise NothingAnswers(f"{url} is not of this site, and is not asked")
        return Request(url, body)  # noqa: S310, its scheme is the origin's: http or https

    def _ask(self, request: Request, host: str = "", *, cookies: bool = True) -> Answer:
        request.add_header("User-Agent", AGENT)
        if host:
            request.add_header("Host", host)
        opener, began = self._opener if cookies else self._without_cookies, time.monotonic()
        try:
            with opener.open(request, timeout=self.timeout_seconds) as answered:
                body = answered.read(MOST_BYTES)
                return Answer(request.full_url, answered.status, answered.headers, body, time.monotonic() - began)
        except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
            raise NothingAnswers(_reason(error)) from error


class _AsItIs(HTTPErrorProcessor):
    """Every answer is one: neither a redirect nor an error of the server is acted upon."""

    def http_response(self, request: Request, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
        return response

    def https_response(self, request: Request, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
        return response


def _opener(host: str, *handlers: BaseHandler) -> OpenerDirector:
    """What listens on this machine is asked directly, whatever proxy there is."""
    direct = (ProxyHandler({}),) if host in LOOPBACK else ()
    return build_opener(_AsItIs, *direct, *handlers)


def _origin(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.query or parts.username:
        raise BadUrl("the URL must be a scheme, a host and a port, such as https://ledger.example.com:8443.")
    own = PORTS[parts.scheme]
    number = port or own
    return f"{parts.scheme}://{_bracketed(host)}{f':{number}' if number != own else ''}", host, number


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({cause.verify_message})"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
