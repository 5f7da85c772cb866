"""The page: under its size, escaped, asking for nothing, and saying what there is to say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from greenroom.rehearsal.document import StaticHints
from greenroom.rehearsal.report import html, words
from tests.rehearsal import examples

VOID = {"meta", "link", "rect", "line", "circle"}


class Page(HTMLParser):
    """Checks that elements close in order, and collects what is on the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th", "dt", "dd", "li", "p"):
            self.text += " "

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


@pytest.mark.parametrize("name", examples.ALL)
def test_page_is_whole_and_asks_for_nothing(name: str) -> None:
    text = html.render(examples.ALL[name]())
    page = Page(text)
    assert page.open == []
    assert len(text.encode()) < 1_000_000
    assert "\u202e" not in text
    assert "\x1b" not in text
    tags = {tag for tag, _, _ in page.attributes}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert [value for tag, name, value in page.attributes if name == "href"] == ["data:,"]
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {"#tl-stripes", "#tl-dots"}
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["passed", "warned", "failed", "broken", "hung", "nothing_pending"])
def test_page_says_the_verdict(name: str) -> None:
    rehearsal = examples.ALL[name]()
    text = " ".join(Page(html.render(rehearsal)).text.split())
    assert f"{rehearsal.verdict.upper()} {words.ANSWER[rehearsal.verdict]}" in text
    assert words.noticed(rehearsal) in text
    assert words.todo(rehearsal) in text
    for reason in rehearsal.reasons:
        assert reason in text


def test_page_forbids_everything_in_its_policy() -> None:
    text = html.render(examples.passed())
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text


def test_page_shows_findings_with_evidence_and_twin() -> None:
    text = Page(html.render(examples.failed())).text
    assert "AccessExclusiveLock on ledger_statement for 5.1 s, while 1,000,000 rows were read." in text
    assert examples.INDEX_TWIN in text
    assert "failure H24 type-rewrite" in " ".join(text.split())


def test_page_shows_static_hints_apart_from_findings() -> None:
    text = " ".join(Page(html.render(examples.hinted())).text.split())
    assert "Static hints say so too: squawk: require-concurrent-index-creation." in text
    assert "3 by squawk 2.70.0, 2 of them measured as well; squawk could not read 1 statement." in text
    row = "ban-drop-constraint ledger_statement ledger.0008_statement_duration_bigint ban-drop-constraint: `this` may"
    assert row in text
    assert "changing-column-type ledger_statement" not in text


def test_page_says_why_there_are_no_static_hints() -> None:
    rehearsal = examples.passed()
    assert "Static hints" not in Page(html.render(rehearsal)).text
    rehearsal.static = StaticHints(note="not made: squawk is not there")
    assert "Not made: squawk is not there." in Page(html.render(rehearsal)).text


def test_page_shows_what_each_statement_did() -> None:
    text = " ".join(Page(html.render(examples.failed())).text.split())
    assert "ACCESS EXCLUSIVE on ledger_statement for 5.1 s" in text
    assert "rewrote ledger_statement, 1,000,000 rows, 182 MB, 3 indexes" in text
    assert "read all of ledger_finding, about 210,450 rows, under SHARE ROW EXCLUSIVE" in text
    assert "84 calls, the slowest 20 ms" in text
    assert "236 MB of WAL" in text


def test_page_shows_a_failure_with_its_frames() -> None:
    text = " ".join(Page(html.render(examples.broken())).text.split())
    assert "The migration failed" in text
    assert "ledger/migrations/0008_statement_duration_bigint.py:17 in forwards" in text
    assert "Applied before ledger.0007_statement_run_index" in text
    assert "SQLSTATE 23505" in text
    hung = " ".join(Page(html.render(examples.hung())).text.split())
    assert "Waited for AccessExclusiveLock on ledger_statement, held by a session of the app" in hung


def test_page_shows_what_it_rests_on() -> None:
    text = " ".join(Page(html.render(examples.failed())).text.split())
    assert "max_parallel_maintenance_workers 2 4" in text
    assert "the app tried to reach: smtp.example.org:25, database alias analytics." in text
    assert "first reads there are slower than here" in text
    assert "greenroom_app" in text


def test_page_without_migrations_has_no_timeline() -> None:
    text = Page(html.render(examples.nothing_pending())).text
    assert "No migration is pending: the database is where this code expects it to be." in text
    assert "Who stood still" not in text


def test_page_of_a_monster_says_what_is_left_out() -> None:
    text = " ".join(Page(html.render(examples.monster())).text.split())
    assert re.search(r"\d+ more statements left out here, together [\d.]+ (ms|s); rehearsal.json has them all\.", text)
    assert re.search(r"\d+ more findings left out here; rehearsal.json has them all\.", text)
    assert "<script>alert(1)</script>" in text  # as text: there is no such element


def test_page_keeps_the_telling_statements() -> None:
    run = examples.failed().migrations[1]
    run.statements = [examples.recorded(0.0) for _ in range(50)] + run.statements[:1]
    assert 50 in html._telling(run, 3)


def test_page_shows_the_twin_with_its_files() -> None:
    page = html.render(examples.failed())
    assert 'id="twins"' in page and "twin/ledger/0007_statement_run_index.py" in page
    assert "H24: what avoids it has to be thought out." in page
    assert 'id="twins"' not in html.render(examples.passed())
