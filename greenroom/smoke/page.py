"""What a page of HTML refers to, and the forms that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from greenroom.smoke.site import Answer

TOKEN = "csrfmiddlewaretoken"  # noqa: S105


@dataclass
class Form:
    """`action` is absolute; `fields` are its inputs with the values that they come with."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """An answer of HTML, taken apart: absolute URLs in the order in which they stand there."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._base = answer.url
        self._main = 0
        self.links: list[str] = []
        self.files: list[str] = []
        self.forms: list[Form] = []
        self.feed(answer.text)

    def posting(self, action: str = "") -> Form | None:
        """The first form that is posted, and whose action has the word in it."""
        return next((form for form in self.forms if form.method == "post" and action in form.action), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what counts."""
        given = {name: value or "" for name, value in attrs}
        if tag == "main":
            self._main += 1
        elif tag == "a" and self._main and given.get("href"):
            self.links.append(self._absolute(given["href"]))
        elif tag == "form":
            self.forms.append(Form(self._absolute(given.get("action", "")), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif file := _file(tag, given):
            self.files.append(self._absolute(file))

    def handle_endtag(self, tag: str) -> None:
        """Links count in `<main>` alone."""
        if tag == "main":
            self._main -= 1

    def _absolute(self, reference: str) -> str:
        return urljoin(self._base, reference.partition("#")[0])


def _file(tag: str, given: dict[str, str]) -> str:
    """What the browser would fetch for the page itself."""
    found = given.get("src", "") if tag in ("script", "img") else ""
    if tag == "link" and {"stylesheet", "icon"} & set(given.get("rel", "").split()):
        found = given.get("href", "")
    return "" if found.startswith("data:") else found
