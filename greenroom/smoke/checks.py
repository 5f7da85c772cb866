"""What is held against the app without being a member of it. Nothing here changes anything there."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from greenroom.smoke.page import Page
from greenroom.smoke.site import PORTS, Answer, NothingAnswers, Site

YEAR_SECONDS = 31_536_000
KEPT_SECONDS = 30 * 86_400
MOST_FILES = 20
HASHED = re.compile(r"\.[0-9a-f]{8,64}\.\w+$")
KINDS = {"css": ("text/css",), "js": ("text/javascript", "application/javascript")}
DEVELOPMENT = "WSGIServer"  # what `runserver` calls itself
GIVEN_AWAY = ("Traceback", "URLconf", "DEBUG = True")
HEADERS = {
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("DENY", "SAMEORIGIN"),
    "Referrer-Policy": ("same-origin", "strict-origin", "strict-origin-when-cross-origin", "no-referrer"),
    "Cross-Origin-Opener-Policy": ("same-origin",),
}


class Failed(Exception):
    """The app does not do what it should; the message says what it does instead."""


class LeftOut(Exception):
    """It cannot be told here; the message says why."""


@dataclass(frozen=True)
class Pages:
    """Paths of the app: what everybody sees, what only members see, and where one becomes a member."""

    public: tuple[str, ...] = ("/login/", "/admin/login/")
    members: tuple[str, ...] = ("/",)
    login: str = "/login/"


Check = Callable[[Site, Pages], None]


def alive(site: Site, _pages: Pages) -> None:
    """The load balancer's question."""
    answer = ok(site.get("/livez"))
    want(answer.headers.get("Cache-Control") == "no-store", "its answer may be kept: no Cache-Control: no-store")
    want(_said(answer).get("status") == "alive", "it answers, but not as the app does: is this another program?")


def ready(site: Site, _pages: Pages) -> None:
    """The database answers, and has every migration."""
    answer = site.get("/readyz")
    reason = _said(answer).get("reason")
    want(answer.status == 200, f"{answer.status}{f': {reason}' if reason else ' where 200 is due'}")


def public(site: Site, pages: Pages) -> None:
    """Pages that need no member."""
    for path in pages.public:
        answer = ok(site.get(path))
        want(answer.kind == "text/html", f"{path} is {answer.kind} and no page")
        want("<title>" in answer.text, f"{path} has no title")


def closed(site: Site, pages: Pages) -> None:
    """Whoever is no member is sent to the log-in."""
    for path in pages.members:
        answer = site.get(path)
        sent = answer.status in (301, 302, 303, 307) and urlsplit(answer.target).path == pages.login
        want(sent, f"{path} answers {answer.status}{f' to {answer.target}' if answer.target else ''}, not the log-in")
        want(site.owns(answer.target), f"{path} leads to {answer.target}, away from {site.origin}")


def static_files(site: Site, pages: Pages) -> None:
    """Everything that the public pages refer to is there, as what it is."""
    found = list(_files(site, pages))
    want(bool(found), "no page refers to any")
    for answer in found:
        path = urlsplit(answer.url).path
        ok(answer)
        want(bool(answer.body), f"{path} is empty")
        due = KINDS.get(path.rpartition(".")[2])
        want(due is None or answer.kind in due, f"{path} is sent as {answer.kind}")


def hashed_names(site: Site, pages: Pages) -> None:
    """Browsers may keep them for ever, because another content has another name."""
    for answer in _files(site, pages):
        path = urlsplit(answer.url).path
        if answer.headers.get("Server", "").startswith(DEVELOPMENT):
            raise LeftOut("the development server (./inv serve) serves files by their own names")
        want(bool(HASHED.search(path)), f"{path} has no hash in its name")
        kept = answer.headers.get("Cache-Control", "")
        want("immutable" in kept and _seconds(kept) >= KEPT_SECONDS, f"{path} says Cache-Control: {kept or 'nothing'}")


def not_found(site: Site, _pages: Pages) -> None:
    """A page that there is not says so, and nothing of the code."""
    answer = site.get(f"/smoke-{secrets.token_hex(6)}/")
    want(answer.status == 404, f"{answer.status} where 404 is due")
    shown = next((words for words in GIVEN_AWAY if words in answer.text), None)
    want(shown is None, f"the page shows what is for developers ({shown}): is DEBUG on?")


def headers(site: Site, pages: Pages) -> None:
    """What tells browsers to be careful."""
    answer = ok(site.get(pages.login))
    for name, allowed in HEADERS.items():
        value = answer.headers.get(name, "")
        want(value in allowed, f"{name}: {value or 'nothing'} where {' or '.join(allowed)} is due")
    for cookie in answer.headers.get_all("Set-Cookie") or ():
        want("samesite=" in cookie.lower(), f"the cookie {cookie.partition('=')[0]} has no SameSite")


def tls_only(site: Site, pages: Pages) -> None:
    """Browsers are told never to come without TLS, and cookies do not travel without it."""
    if not site.https:
        raise LeftOut("the URL is http: no HSTS and no Secure cookies are due")
    answer = ok(site.get(pages.login))
    told = answer.headers.get("Strict-Transport-Security", "")
    want(_seconds(told) >= YEAR_SECONDS, f"Strict-Transport-Security: {told or 'nothing'} where a year is due")
    for cookie in answer.headers.get_all("Set-Cookie") or ():
        want("secure" in cookie.lower().split("; "), f"the cookie {cookie.partition('=')[0]} is not Secure")


def redirected_to_tls(site: Site, pages: Pages) -> None:
    """Whoever comes by http is sent to https."""
    if not site.https or site.port != PORTS["https"]:
        raise LeftOut("only an https URL without a port has an http twin")
    try:
        answer = site.plain(pages.login)
    except NothingAnswers as error:
        raise LeftOut(f"port 80: {error}") from None
    want(answer.status in (301, 308) and site.owns(answer.target), f"http answers {answer.status} {answer.target}")


def forged_post(site: Site, pages: Pages) -> None:
    """A form that no page of ours made is refused, before anything is done."""
    answer = site.post(pages.login, {"username": "smoke"}, cookies=False)
    want(answer.status == 403, f"{answer.status} where 403 is due")


def foreign_host(site: Site, pages: Pages) -> None:
    """Nobody is answered under a name that is not the app's."""
    answer = site.get(pages.login, host="smoke.invalid")
    want(400 <= answer.status < 500, f"{answer.status} to a request for another host: see DJANGO_ALLOWED_HOSTS")


CHECKS: dict[str, Check] = {
    "/livez answers": alive,
    "/readyz: database and migrations": ready,
    "public pages": public,
    "members' pages lead to the log-in": closed,
    "static files are served": static_files,
    "static files have hashed names": hashed_names,
    "404 for what there is not": not_found,
    "security headers": headers,
    "HSTS and Secure cookies": tls_only,
    "http is sent to https": redirected_to_tls,
    "a forged form is refused": forged_post,
    "a foreign host is refused": foreign_host,
}


def want(fact: bool, otherwise: str) -> None:
    """Raises Failed with those words."""
    if not fact:
        raise Failed(otherwise)


def ok(answer: Answer) -> Answer:
    """It, when it is a 200. Raises Failed."""
    path = urlsplit(answer.url).path
    leads = f" to {answer.target}" if answer.target else ""
    want(answer.status == 200, f"{path} answers {answer.status}{leads} where 200 is due")
    return answer


def _files(site: Site, pages: Pages) -> Iterator[Answer]:
    found = [file for path in pages.public for file in Page(site.get(path)).files if site.owns(file)]
    for url in list(dict.fromkeys(found))[:MOST_FILES]:
        yield site.get(url)


def _said(answer: Answer) -> dict[str, object]:
    try:
        said = json.loads(answer.text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(header: str) -> int:
    found = re.search(r"max-age=(\d+)", header)
    return int(found[1]) if found else 0
