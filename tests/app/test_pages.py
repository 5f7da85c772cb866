from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from greenroom.rehearsal import document as d
from ledger.ingest import ingest
from ledger.models import Rehearsal, Statement

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(client: Client) -> Client:
    client.force_login(User.objects.create_user("mira"))
    return client


@pytest.fixture
def stored(rehearsal: d.Rehearsal) -> Rehearsal:
    return ingest(rehearsal.to_json().encode())[0]


def many(count: int) -> None:
    first = Rehearsal.objects.get()
    for number in range(count):
        first.pk, first.identifier = None, f"copy-{number:03}"
        first.verdict = "fail" if number % 2 else "pass"
        first.git_branch = "main"
        first.save(force_insert=True)


@pytest.mark.parametrize("path", ["/", "/rehearsals/x/", "/rehearsals/x/migrations/0/"])
def test_pages_ask_for_a_log_in(client: Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.headers["Location"]) == (302, f"/login/?next={path}")


def test_log_in_and_out(client: Client) -> None:
    User.objects.create_user("mira", password="correct horse")
    assert "<h1>Log in</h1>" in client.get("/login/?next=/").content.decode()
    inside = client.post("/login/", {"username": "mira", "password": "correct horse", "next": "/"}, follow=True)
    assert "Log out mira" in inside.content.decode()
    assert client.post("/logout/", follow=True).redirect_chain == [("/login/", 302)]


def test_list_empty_says_how_to_begin(member: Client) -> None:
    page = member.get("/").content.decode()
    assert "There is no such rehearsal yet. <code>manage.py ingest_rehearsal FILE</code> stores one." in page


def test_list_shows_verdict_branch_and_stalls(member: Client, stored: Rehearsal) -> None:
    page = member.get("/").content.decode()
    assert "<caption>1 rehearsal, newest first</caption>" in page
    assert '<a href="/rehearsals/20261101T120000-abc123/">20261101T120000-abc123</a>' in page
    assert '<strong class="warn">warn</strong>' in page
    assert '<td class="number">613</td>' in page


def test_list_is_paginated_and_keeps_the_filter(member: Client, stored: Rehearsal) -> None:
    many(60)
    page = member.get("/", {"verdict": "fail", "branch": "main"}).content.decode()
    assert "30 rehearsals, newest first" in page and "Page 1 of 2" in page
    assert 'href="?verdict=fail&amp;branch=main&amp;page=2"' in page
    assert page.count('<th scope="row">') == 25
    assert member.get("/", {"page": "9"}).status_code == 404


@pytest.mark.parametrize("asked", [{"verdict": "nonsense"}, {"branch": "a\0b"}, {"branch": "'; --"}])
def test_list_any_filter_is_answered(member: Client, stored: Rehearsal, asked: dict[str, str]) -> None:
    assert member.get("/", asked).status_code == 200


def test_list_asks_the_database_as_often_for_many_as_for_one(
    member: Client, stored: Rehearsal, django_assert_max_num_queries: Any
) -> None:
    many(40)
    with django_assert_max_num_queries(4):
        member.get("/")


def test_detail_shows_everything(member: Client, stored: Rehearsal) -> None:
    page = member.get(stored.get_absolute_url()).content.decode()
    assert '<h1>Rehearsal 20261101T120000-abc123: <strong class="warn">warn</strong></h1>' in page
    assert "<li>Writers of ledger_statement waited 612 ms.</li>" in page
    assert "<h3>H01 index-blocking: warning</h3>" in page
    assert "The index build blocked writers for 612 ms." in page
    assert "AddIndexConcurrently(...)" in page
    assert "ledger.0011_slow: failed, 0.63 s, 2 statements" in page
    assert "CREATE INDEX &quot;slow&quot; ON &quot;ledger_statement&quot;" in page
    assert "ShareLock on ledger_statement, 612.5 ms, blocks writes" in page
    assert "failed with 23505" in page and "3 times" in page
    assert "1,000,000" in page and "felt by a probe" in page


def test_detail_escapes_what_it_shows(member: Client, rehearsal: d.Rehearsal) -> None:
    rehearsal.reasons = ["<script>alert(1)</script>"]
    rehearsal.migrations[0].statements[0].sql = "<img src=x onerror=alert(1)>"
    page = member.get(ingest(rehearsal.to_json().encode())[0].get_absolute_url()).content.decode()
    assert "<script" not in page and "<img" not in page


def test_detail_first_statements_and_a_link_to_all(
    member: Client, stored: Rehearsal, django_assert_max_num_queries: Any
) -> None:
    run = stored.migrations.get(position=0)
    more = [Statement(migration=run, position=n, sql=f"SELECT {n}", started_s=1, seconds=0.1) for n in range(2, 120)]
    Statement.objects.bulk_create(more)
    with django_assert_max_num_queries(8):
        page = member.get(stored.get_absolute_url()).content.decode()
    assert "SELECT 9<" in page and "SELECT 10<" not in page
    assert f'<a href="{run.get_absolute_url()}">All 120 statements of ledger.0011_slow</a>' in page
    second = member.get(run.get_absolute_url(), {"page": "3"}).content.decode()
    assert "SELECT 119<" in second and "Page 3 of 3" in second


def test_detail_nothing_was_pending(member: Client, rehearsal: d.Rehearsal) -> None:
    rehearsal.migrations = []
    page = member.get(ingest(rehearsal.to_json().encode())[0].get_absolute_url()).content.decode()
    assert "<p>None were pending.</p>" in page


@pytest.mark.parametrize("path", ["rehearsals/none/", "rehearsals/20261101T120000-abc123/migrations/7/", "nowhere"])
def test_pages_unknown(member: Client, stored: Rehearsal, path: str) -> None:
    assert member.get(f"/{path}").status_code == 404


def test_pages_link_to_a_style_sheet_that_is_served(member: Client) -> None:
    assert 'href="/static/ledger/ledger.css"' in member.get("/").content.decode()
    response = member.get("/static/ledger/ledger.css")
    assert (response.status_code, response.headers["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    response.close()
