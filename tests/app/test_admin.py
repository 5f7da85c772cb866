from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from greenroom.rehearsal import document as d
from ledger.ingest import ingest
from ledger.models import Finding, MigrationRun, Rehearsal, Release, Statement

pytestmark = pytest.mark.django_db
MODELS = [Release, Rehearsal, MigrationRun, Statement, Finding]
MEASURED = [Rehearsal, MigrationRun, Statement, Finding]


@pytest.fixture
def stored(rehearsal: d.Rehearsal) -> Rehearsal:
    Release.objects.create(version="1.0", git_commit="a" * 40, created_at=datetime(2026, 11, 1, tzinfo=UTC))
    return ingest(rehearsal.to_json().encode())[0]


def url(model: type, page: str) -> str:
    return f"/admin/ledger/{model.__name__.lower()}/{page}"


@pytest.mark.parametrize("model", MODELS)
def test_list_renders(admin_client: Client, stored: Rehearsal, model: type) -> None:
    assert admin_client.get(url(model, "")).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_list_can_be_searched(admin_client: Client, stored: Rehearsal, model: type) -> None:
    assert admin_client.get(url(model, ""), {"q": "slow"}).status_code == 200


@pytest.mark.parametrize("model", [Rehearsal, Finding, Release])
def test_list_goes_by_date(admin_client: Client, stored: Rehearsal, model: type) -> None:
    assert "1 November" in admin_client.get(url(model, "")).content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_row_renders(admin_client: Client, stored: Rehearsal, model: type) -> None:
    row = model.objects.order_by("pk").first()  # type: ignore[attr-defined]
    assert admin_client.get(url(model, f"{row.pk}/change/")).status_code == 200


@pytest.mark.parametrize("model", MEASURED)
def test_what_was_measured_is_not_edited(admin_client: Client, stored: Rehearsal, model: type) -> None:
    row = model.objects.order_by("pk").first()  # type: ignore[attr-defined]
    assert admin_client.get(url(model, "add/")).status_code == 403
    assert admin_client.post(url(model, f"{row.pk}/change/"), {"name": "better"}).status_code == 403


def test_rehearsal_shows_its_parts(admin_client: Client, stored: Rehearsal) -> None:
    page = admin_client.get(url(Rehearsal, f"{stored.pk}/change/")).content.decode()
    assert "index-blocking" in page and "0011_slow" in page and "612.5" in page


def test_migration_links_to_its_statements(admin_client: Client, stored: Rehearsal) -> None:
    run = stored.migrations.get(position=0)
    link = f"/admin/ledger/statement/?migration__id__exact={run.pk}"
    assert f'<a href="{link}">Show</a>' in admin_client.get(url(MigrationRun, "")).content.decode()
    page = admin_client.get(link).content.decode()
    assert "2 statements" in page and "CREATE INDEX" in page


def test_statement_shows_its_locks(admin_client: Client, stored: Rehearsal) -> None:
    build = Statement.objects.get(position=0)
    assert "ShareLock" in admin_client.get(url(Statement, f"{build.pk}/change/")).content.decode()


def test_release_is_edited(admin_client: Client, stored: Rehearsal) -> None:
    values = {"version": "1.1", "git_commit": "b" * 40, "status": "built", "image_digest": ""}
    when = {"created_at_0": "2026-11-02", "created_at_1": "10:00:00", "deployed_at_0": "", "deployed_at_1": ""}
    inline = {"rehearsals-TOTAL_FORMS": "0", "rehearsals-INITIAL_FORMS": "0"}
    response = admin_client.post(url(Release, "add/"), values | when | inline)
    assert response.status_code == 302
    assert Release.objects.filter(version="1.1").exists()
