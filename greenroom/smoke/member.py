"""Log-in, what members see, log-out. It writes a session there and takes it away again, and sets the last log-in."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from greenroom.smoke.checks import Failed, LeftOut, Pages, ok, want
from greenroom.smoke.page import TOKEN, Page
from greenroom.smoke.site import Site

USER, PASSWORD = "GREENROOM_SMOKE_USER", "GREENROOM_SMOKE_PASSWORD"
MOST_PAGES = 6
LINKS_FOLLOWED = 2  # of each page


@dataclass(frozen=True)
class Credentials:
    """A member for the smoke tests; one that may only read is enough."""

    user: str
    password: str = field(repr=False)


def log_in(site: Site, pages: Pages, credentials: Credentials) -> None:
    """Through the form, as a person does. Raises Failed."""
    form = Page(ok(site.get(pages.login))).posting()
    if form is None or TOKEN not in form.fields:
        raise Failed(f"{pages.login} has no form with a token")
    given = {"username": credentials.user, "password": credentials.password, "next": pages.members[0]}
    answer = site.post(form.action, {**form.fields, **given})
    want(answer.status != 200, f"{pages.login} lets this user not in: check {USER} and {PASSWORD}")
    landed = answer.status in (302, 303) and urlsplit(answer.target).path == pages.members[0]
    want(landed, f"{pages.login} answers {answer.status} {answer.target}".rstrip())


def see_pages(site: Site, pages: Pages) -> None:
    """The members' pages, and some of those that they lead to. Raises Failed."""
    waiting, seen = [site.absolute(path) for path in pages.members], list[str]()
    while waiting and len(seen) < MOST_PAGES:
        seen.append(waiting.pop(0))
        links = Page(ok(site.get(seen[-1]))).links
        new = [link for link in links if site.owns(link) and link not in seen and link not in waiting]
        waiting[:0] = new[:LINKS_FOLLOWED]


def log_out(site: Site, pages: Pages) -> None:
    """Through the form of a member's page, after which the page is closed again. Raises Failed."""
    form = Page(ok(site.get(pages.members[0]))).posting("logout")
    if form is None:
        raise LeftOut(f"{pages.members[0]} has no form that posts to a path with `logout` in it")
    answer = site.post(form.action, form.fields)
    want(answer.status in (200, 302, 303), f"{urlsplit(form.action).path} answers {answer.status}")
    again = site.get(pages.members[0])
    want(urlsplit(again.target).path == pages.login, f"{pages.members[0]} is still open after the log-out")
