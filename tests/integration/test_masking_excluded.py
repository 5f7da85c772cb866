"""Tables whose rows are left out: by exact names, and never such that others refer to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import masking
from greenroom.postgres.embedded import Server
from tests.integration.masked_people import REMEDY, admin, admin18

__all__ = ["admin", "admin18"]
LOGS = """
CREATE SCHEMA crm; CREATE SCHEMA "Odd";
CREATE TABLE audit_log (id int PRIMARY KEY); CREATE TABLE audit_mail (id int); CREATE TABLE person (id int PRIMARY KEY);
CREATE TABLE crm.audit_log (id int); CREATE TABLE "Odd"."Audit.1" (id int);
CREATE TABLE click (day date PRIMARY KEY, n int) PARTITION BY RANGE (day);
CREATE TABLE click_a PARTITION OF click FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE click_b PARTITION OF click DEFAULT;
CREATE TABLE audit_note (id int, log int REFERENCES audit_log, person int REFERENCES person);
CREATE TABLE hit (day date REFERENCES click);
CREATE VIEW audit_view AS SELECT 1;
INSERT INTO audit_log VALUES (1); INSERT INTO click VALUES ('2024-01-02');
"""


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], []),
        (["audit_log"], ["public.audit_log"]),
        (["audit_*", "public.audit_mail"], ["public.audit_log", "public.audit_mail", "public.audit_note"]),
        (["*.audit_log"], ["crm.audit_log", "public.audit_log"]),
        (["Odd.*"], ['"Odd"."Audit.1"']),
        (["click"], ["public.click", "public.click_a", "public.click_b"]),
        (["click_?"], ["public.click_a", "public.click_b"]),
    ],
)
def test_excluded_gives_exact_names(admin: psycopg.Connection, patterns: list[str], names: list[str]) -> None:
    admin.execute(LOGS)
    assert masking.excluded(admin, patterns, "staging") == names


def test_excluded_names_are_what_pg_dump_takes(server18: Server, admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    admin18.execute('INSERT INTO "Odd"."Audit.1" VALUES (1); INSERT INTO crm.audit_log VALUES (1)')
    names = masking.excluded(admin18, ["Odd.*", "crm.*"], "staging")
    address = server18.address.at(admin18.info.dbname)
    words: list[str | Path] = [server18.binaries.program("pg_dump"), f"--dbname={address.conninfo}", "--data-only"]
    words += [f"--exclude-table-data={name}" for name in names]
    dumped = subprocess.run(words, env=address.password_environment, capture_output=True, text=True, check=True).stdout
    assert "COPY public.audit_log" in dumped
    assert "Odd" not in dumped and "crm" not in dumped


def test_excluded_pattern_that_matches_nothing(admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    with pytest.raises(GreenroomError) as caught:
        masking.excluded(admin18, ["audit_*", "audit_logs", "nix.*"], "staging")
    assert str(caught.value) == (
        "tool.greenroom.databases.staging.exclude_data: audit_logs matches no table "
        "(similar: audit_log, crm.audit_log, audit_note); "
        "tool.greenroom.databases.staging.exclude_data: nix.* matches no table\n"
        f"  {REMEDY}"
    )


def test_excluded_rows_that_others_refer_to(admin: psycopg.Connection) -> None:
    admin.execute(LOGS)
    admin.execute("INSERT INTO audit_note VALUES (1, 1); INSERT INTO hit VALUES ('2024-01-02')")
    with pytest.raises(GreenroomError) as caught:
        masking.excluded(admin, ["audit_log", "click_a"], "staging")
    assert str(caught.value) == (
        "tool.greenroom.databases.staging.exclude_data leaves out rows that others refer to, so that their foreign "
        "keys could not be restored: public.audit_note refers to public.audit_log (audit_note_log_fkey); "
        "public.hit refers to public.click (hit_day_fkey).\n"
        '  Leave these out too: "public.audit_note", "public.hit"; or copy the rows that they refer to.'
    )
    assert masking.excluded(admin, ["audit_log", "audit_note"], "staging") == ["public.audit_log", "public.audit_note"]


def test_excluded_rows_that_only_nulls_would_refer_to(admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    admin18.execute("INSERT INTO person VALUES (1); INSERT INTO audit_note VALUES (1, NULL, 1)")
    assert masking.excluded(admin18, ["audit_log"], "staging") == ["public.audit_log"]
