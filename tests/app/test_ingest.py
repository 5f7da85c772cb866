from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from greenroom.rehearsal import document as d
from ledger.models import Finding, Lock, MigrationRun, Rehearsal, Release, Stall, Statement

pytestmark = pytest.mark.django_db


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[[str | bytes], str]:
    def store(text: str | bytes) -> str:
        file = tmp_path / "rehearsal.json"
        file.write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
        out = StringIO()
        call_command("ingest_rehearsal", str(file), stdout=out)
        return out.getvalue()

    return store


def test_ingest_stores_every_part(rehearsal: d.Rehearsal, ingest: Callable[[str], str]) -> None:
    said = ingest(rehearsal.to_json())
    assert said == "Stored rehearsal 20261101T120000-abc123, verdict warn.\n"
    stored = Rehearsal.objects.get()
    assert (stored.verdict, stored.project, stored.server_version) == ("warn", "shop", "18.6")
    assert (stored.seconds, stored.read_stall_ms, stored.write_stall_ms) == (0.7, 3.0, 612.5)
    assert stored.document == json.loads(rehearsal.to_json())
    assert list(stored.migrations.values_list("name", "status")) == [("0011_slow", "failed"), ("0012_next", "not run")]
    build, fill = Statement.objects.order_by("position")
    assert (build.sql, build.wal_bytes, build.sqlstate) == (rehearsal.migrations[0].statements[0].sql, 22_000_000, "")
    assert (fill.calls, fill.rows, fill.sqlstate) == (3, 30, "23505")
    assert Lock.objects.get().statement == build
    assert Stall.objects.get().write_ms == 612.5
    assert Finding.objects.get().summary == "The index build blocked writers for 612 ms."


def test_ingest_twice_stores_once(rehearsal: d.Rehearsal, ingest: Callable[[str], str]) -> None:
    ingest(rehearsal.to_json())
    said = ingest(rehearsal.to_json())
    assert said == "Already stored, nothing changed: rehearsal 20261101T120000-abc123, verdict warn.\n"
    counts = [model.objects.count() for model in (Rehearsal, MigrationRun, Statement, Lock, Stall, Finding)]
    assert counts == [1, 2, 2, 1, 1, 1]


def test_ingest_what_ran_outside_of_the_migrations_comes_last(
    rehearsal: d.Rehearsal, ingest: Callable[[str], str]
) -> None:
    rehearsal.post_migrate = d.MigrationRun(app="", name="", seconds=0.1, status="applied")
    ingest(rehearsal.to_json())
    last = MigrationRun.objects.order_by("position").last()
    assert last is not None and (last.position, str(last)) == (2, "outside of the migrations")


def test_ingest_nothing_pending(rehearsal: d.Rehearsal, ingest: Callable[[str], str]) -> None:
    rehearsal.migrations, rehearsal.stalls, rehearsal.findings = [], [], []
    rehearsal.git = d.Git()
    ingest(rehearsal.to_json())
    assert Rehearsal.objects.get().git_commit == ""


@pytest.mark.parametrize(("dirty", "linked"), [(False, True), (True, False)])
def test_ingest_links_the_release_of_exactly_this_code(
    rehearsal: d.Rehearsal, ingest: Callable[[str], str], dirty: bool, linked: bool
) -> None:
    release = Release.objects.create(
        version="1.0", git_commit="a" * 40, created_at=datetime(2026, 11, 1, tzinfo=UTC), status="built"
    )
    rehearsal.git.dirty = dirty
    ingest(rehearsal.to_json())
    assert Rehearsal.objects.get().release == (release if linked else None)


def without(*path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


def replaced(value: object, *path: str | int) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without("id"), "id: Field required"),
        (without("migrations", 0, "statements", 1, "seconds"), "migrations.0.statements.1.seconds: Field required"),
        (replaced(2, "schema_version"), "schema_version: Input should be 1"),
        (replaced("maybe", "verdict"), "verdict: Input should be 'pass', 'warn' or 'fail'"),
        (replaced(-1, "stalls", 0, "read_ms"), "stalls.0.read_ms: Input should be greater than or equal to 0"),
        (replaced("2026-11-01T12:00:00", "created_at"), "created_at: Input should have timezone info"),
        (replaced("x" * 128, "stalls", 0, "table"), "stalls.0.table: String should have at most 127 characters"),
        (replaced([], "totals"), "totals: Input should be a valid dictionary or instance of Totals"),
        (replaced("a/b", "id"), "id: String should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*\\z'"),
        (replaced("a\0b", "project"), "it holds a character that PostgreSQL cannot store"),
        (replaced("a\ud800", "reasons", 0), "it holds a character that PostgreSQL cannot store"),
        (lambda document: document["stalls"].append(document["stalls"][0]), "the database refuses it (IntegrityError)"),
    ],
)
def test_ingest_malformed_document_stores_nothing(
    rehearsal: d.Rehearsal, ingest: Callable[[str], str], tmp_path: Path, change: Callable[[Any], None], complaint: str
) -> None:
    document = json.loads(rehearsal.to_json())
    change(document)
    with pytest.raises(CommandError) as caught:
        ingest(json.dumps(document))
    assert str(caught.value) == f"{tmp_path}/rehearsal.json cannot be stored: {complaint}."
    assert caught.value.returncode == 2
    assert Rehearsal.objects.count() == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "it is not valid JSON (Expecting value in line 1)"),
        ('{\n"id" 1}', "it is not valid JSON (Expecting ':' delimiter in line 2)"),
        ('{"id": NaN}', "it is not valid JSON (NaN is not a number)"),
        ("[" * 100_000, "it is not valid JSON (it is nested too deeply)"),
        ("[]", "the document: Input should be a valid dictionary or instance of Document"),
        (b"\xff\xfe\xff", "it is not valid JSON (it is not text in UTF-8)"),
    ],
)
def test_ingest_not_a_document(
    ingest: Callable[[str | bytes], str], tmp_path: Path, text: str | bytes, complaint: str
) -> None:
    with pytest.raises(CommandError) as caught:
        ingest(text)
    assert str(caught.value) == f"{tmp_path}/rehearsal.json cannot be stored: {complaint}."


def test_ingest_counts_further_mistakes(ingest: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        ingest('{"schema_version": 1}')
    assert str(caught.value).endswith("cannot be stored: id: Field required, and 10 more mistakes.")


def test_ingest_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("ingest_rehearsal", str(tmp_path / "none.json"))
    assert str(caught.value) == f"{tmp_path}/none.json cannot be read: No such file or directory."
    assert caught.value.returncode == 2


def test_ingest_keeps_text_that_only_looks_like_an_escape(rehearsal: d.Rehearsal, ingest: Callable[[str], str]) -> None:
    rehearsal.reasons = [r"the literal \u0000 in a text"]
    ingest(rehearsal.to_json())
    assert Rehearsal.objects.get().document["reasons"] == [r"the literal \u0000 in a text"]
