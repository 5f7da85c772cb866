"""Static hints: what the real squawk is asked, what comes of its answer, and that its absence is a note."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from greenroom import shell
from greenroom.rehearsal.document import Advice, Evidence, Finding, StaticHints
from greenroom.rehearsal.hazards import CATALOGUE
from greenroom.rehearsal.hints import squawk, static_hints
from greenroom.rehearsal.hints.rules import HAZARDS, NOT_ALONE, OF_NEW_TABLES, SAID_BETTER
from greenroom.rehearsal.recorder import Recorder

TABLES = ["shop_order", "shop_customer", "archive.old"]
SECRET = "planted-s3cret-90210777"


def recorded(*statements: str, atomic: bool = True, operation: int | None = 0) -> Recorder:
    recorder = Recorder(start=0.0)
    recorder.take({"event": "migration_start", "t": 0.0, "app": "shop", "name": "0002_change", "atomic": atomic})
    for n, sql in enumerate(statements):
        facts = {"locks": [], "rewrites": [], "scans": [], "rows": -1, "wal_bytes": None, "exception": None}
        start = {"event": "statement_start", "n": n, "sql": sql, "operation": operation, "how": "transaction"}
        recorder.take({**start, "t": float(n)})
        recorder.take({"event": "statement_end", "t": n + 0.5, "n": n, "sqlstate": None, **facts})
    recorder.take({"event": "transaction_end", "t": 99.0, "outcome": "commit", "seconds": 0.001})
    return recorder


def found(
    hazard: str, table: str | None = "shop_order", operation: int | None = 0, migration: str | None = ""
) -> Finding:
    return Finding(
        hazard=hazard,
        name="anything",
        severity="note",
        table=table,
        migration="shop.0002_change" if migration == "" else migration,
        operation=operation,
        evidence=Evidence(summary="It was measured."),
        advice=Advice(summary="Do otherwise."),
    )


def hinted(recorder: Recorder, *findings: Finding, directory: Path = Path("/")) -> tuple[StaticHints, list[Finding]]:
    static, after = static_hints(recorder, findings, TABLES, "18.6", directory)
    assert static.note is None
    return static, after


def rules(recorder: Recorder, directory: Path = Path("/")) -> list[tuple[str, int]]:
    return [(hint.rule, hint.statement) for hint in hinted(recorder, directory=directory)[0].hints]


INDEX = 'CREATE INDEX "i" ON "shop_order" ("status")'


def test_hint_without_a_finding_stands_by_itself() -> None:
    static, _ = hinted(recorded("SET search_path TO 'x'", INDEX))
    [hint] = static.hints
    assert (static.tool, hint.rule, hint.level) == ("squawk", "require-concurrent-index-creation", "warning")
    assert (hint.migration, hint.operation, hint.statement, hint.table) == ("shop.0002_change", 0, 1, "shop_order")
    assert hint.merged_with == []
    assert hint.message.startswith("During normal index creation, table updates are blocked")
    assert static.version and static.version.startswith("2.")


@pytest.mark.parametrize(
    ("finding", "same"),
    [
        (found("H01"), True),
        (found("H01", operation=None), True),
        (found("H01", migration=None, operation=None), True),
        (found("H01", table=None), True),
        (found("H01", table="other.shop_order"), True),  # SQL left the schema to the search path
        (found("H01", table="shop_customer"), False),
        (found("H01", operation=1), False),
        (found("H01", migration="shop.0003_other"), False),
        (found("H44"), False),
    ],
)
def test_finding_of_the_same_takes_the_hint_in(finding: Finding, same: bool) -> None:
    static, [after] = hinted(recorded(INDEX), finding)
    index = next(hint for hint in static.hints if hint.rule == "require-concurrent-index-creation")
    assert index.merged_with == (["H01"] if same else [])
    assert ("squawk: require-concurrent-index-creation" in after.static) == same
    assert after.model_copy(update={"static": []}) == finding


def test_rule_that_measuring_answers_is_shown_with_its_finding_alone() -> None:
    assert rules(recorded(INDEX)) == [("require-concurrent-index-creation", 0)]
    static, [_, queue] = hinted(recorded(INDEX), found("H01"), found("H44", None, None, None))
    assert {hint.rule: hint.merged_with for hint in static.hints} == {
        "require-concurrent-index-creation": ["H01"],
        "require-lock-timeout": ["H44"],
    }
    assert queue.static == ["squawk: require-lock-timeout"]


def test_two_statements_of_one_operation_go_to_the_finding_of_their_table() -> None:
    other = 'CREATE INDEX "j" ON "shop_customer" ("name")'
    static, findings = hinted(recorded(INDEX, other), found("H01"), found("H01", "shop_customer"))
    assert [(hint.table, hint.merged_with) for hint in static.hints] == [
        ("shop_order", ["H01"]),
        ("shop_customer", ["H01"]),
    ]
    assert [finding.static for finding in findings] == [["squawk: require-concurrent-index-creation"]] * 2


def test_style_and_rows_are_passed_over() -> None:
    harmless = 'ALTER TABLE "shop_order" ADD COLUMN "a" integer NULL, ADD COLUMN "b" varchar(20) NULL'
    assert rules(recorded(harmless, "UPDATE shop_order SET a = 1", "INSERT INTO shop_order VALUES (1), (2)")) == []


def test_unique_constraint_is_not_asked_to_be_not_valid() -> None:
    assert rules(recorded('ALTER TABLE "shop_order" ADD CONSTRAINT "u" UNIQUE ("a")')) == [
        ("disallowed-unique-constraint", 0)
    ]


def test_table_that_was_not_there_stops_nobody() -> None:
    create = 'CREATE TABLE "shop_new" ("id" bigint, "code" char(3), "at" timestamp)'
    assert rules(recorded(create)) == [("ban-char-field", 0), ("prefer-timestamp-tz", 0)]
    assert rules(recorded('CREATE INDEX "i" ON "shop_new" ("code")')) == []
    assert rules(recorded('ALTER TABLE "shop_new" RENAME COLUMN "a" TO "b"')) == []
    assert rules(recorded('ALTER TABLE "old" RENAME COLUMN "a" TO "b"')) == [("renaming-column", 0)]


def test_transaction_is_assumed_where_there_is_one() -> None:
    concurrently = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "shop_order" ("a")'
    both = (concurrently, 'ALTER TABLE "shop_order" ADD COLUMN "b" text NULL')
    assert rules(recorded(*both)) == [("ban-concurrent-index-creation-in-transaction", 0)]
    assert rules(recorded(*both, atomic=False)) == []


def test_statement_is_met_again_behind_names_with_line_breaks() -> None:
    odd = 'ALTER TABLE "shop_order" ADD COLUMN "a\nb\nc" text NULL'
    for atomic in (True, False):
        assert rules(recorded(odd, INDEX, odd.replace("a", "d"), "SET search_path TO x", atomic=atomic)) == [
            ("require-concurrent-index-creation", 1)
        ]


def test_statement_that_squawk_cannot_read_is_left_out_and_counted() -> None:
    odd = 'ALTER TABLE "shop_order" FROBNICATE'
    doubtful = "ALTER TABLE shop_order ADD COLUMN a text DEFAULT 'x\\' || 'y'"
    static, _ = static_hints(recorded(odd, INDEX, doubtful), [], TABLES, "18.6", Path("/"))
    assert [(hint.rule, hint.statement) for hint in static.hints] == [("require-concurrent-index-creation", 1)]
    assert static.note == "squawk could not read 2 statements"


def test_what_squawk_is_asked_holds_no_literal() -> None:
    recorder = recorded(
        f'ALTER TABLE "shop_order" ADD COLUMN "a" text DEFAULT \'{SECRET}\' CHECK (a <> $${SECRET}$$) -- {SECRET}',
        f"UPDATE shop_order SET a = '{SECRET}'",
        f"DO $x$ BEGIN RAISE NOTICE '{SECRET}'; END $x$",
    )
    assert list(recorder.blank.values()) == [
        "ALTER TABLE \"shop_order\" ADD COLUMN \"a\" text DEFAULT '' CHECK (a <> '')",
        "DO ''",
    ]
    static, _ = hinted(recorder, found("H20"))
    assert SECRET not in static.model_dump_json()


def test_what_squawk_reads_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    program = made(tmp_path, f'ls {room} >>{tmp_path}/seen; exec "{squawk.installed()}" "$@"')
    static, _ = static_hints(recorded(INDEX), [], TABLES, "18.6", tmp_path, program)
    assert [hint.rule for hint in static.hints] == ["require-concurrent-index-creation"]
    assert (tmp_path / "seen").read_text().startswith("greenroom-hints-")
    assert list(room.iterdir()) == []


def test_what_django_records_is_not_asked_about() -> None:
    assert recorded('DROP TABLE "shop_order"', operation=None).blank == {}


def test_configuration_of_the_project_holds(tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["require-concurrent-index-creation"]\n')
    (tmp_path / "src").mkdir()
    drop = 'ALTER TABLE "shop_order" DROP COLUMN "a"'
    assert rules(recorded(INDEX, drop), tmp_path / "src") == [("ban-drop-column", 1)]


def made(tmp_path: Path, text: str) -> Path:
    program = tmp_path / "squawk"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "squawk is not there"),
        ("echo tables of nuts", "the squawk that is found is another program than squawk-cli"),
        ("exit 3", "squawk ended with exit code 3"),
        ('[ "$1" = --version ] && echo squawk 9.9 || echo "{}{}"', "squawk's answer is no list of remarks"),
        ('[ "$1" = --version ] && echo squawk 9.9 || { echo why >&2; exit 1; }', "squawk read nothing"),
        ("sleep 60", "squawk did not end within 0.2 s"),
    ],
)
def test_squawk_that_says_nothing_is_a_note(
    text: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(squawk, "SECONDS", 0.2 if text == "sleep 60" else 10)
    program = made(tmp_path, text) if text else tmp_path / "nowhere"
    finding = found("H01")
    static, findings = static_hints(recorded(INDEX), [finding], TABLES, "18.6", tmp_path, program)
    assert (static.hints, static.version, findings) == ([], None, [finding])
    assert static.note and static.note.startswith(f"not made: {why}")


def test_broken_configuration_of_the_project_is_a_note(tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text("excluded_rules = [nonsense\n")
    static, _ = static_hints(recorded(INDEX), [], TABLES, "18.6", tmp_path)
    assert static.note and static.note.startswith("not made: squawk read nothing")


def test_nothing_to_ask_starts_nothing(tmp_path: Path) -> None:
    static, _ = static_hints(recorded("SELECT 1"), [], TABLES, "18.6", tmp_path, tmp_path / "nowhere")
    assert static == StaticHints()


def test_server_version_is_told_in_squawks_words() -> None:
    said = {version: squawk.version_of(version) for version in ("15.18 (Debian 15.18-0+deb12u1)", "18beta1", "18.6")}
    assert list(said.values()) == ["15.18", "18", "18.6"]


def test_rules_name_hazards_of_the_catalogue() -> None:
    assert {hazard for hazards in HAZARDS.values() for hazard in hazards} <= set(CATALOGUE)


def test_rules_are_squawks_own(tmp_path: Path) -> None:
    """A rule that squawk does not know, it refuses to leave out."""
    program = squawk.installed()
    assert program
    file = tmp_path / "nothing.sql"
    file.write_text("SELECT 1;\n")
    known = {*HAZARDS, *NOT_ALONE, *OF_NEW_TABLES, *SAID_BETTER, *SAID_BETTER["constraint-missing-not-valid"]}
    assert shell.run([program, f"--exclude={','.join(sorted(known))}", file], check=False).code == 0
    assert shell.run([program, "--exclude=no-such-rule", file], check=False).code != 0


def test_hint_says_what_the_server_refuses_on_a_partitioned_table() -> None:
    def message(*partitioned: str) -> str:
        static, _ = static_hints(recorded(INDEX), [], TABLES, "18.6", Path("/"), partitioned=partitioned)
        return next(hint.message for hint in static.hints if hint.rule == "require-concurrent-index-creation")

    assert message("shop_order").endswith(
        "But shop_order is partitioned: the server refuses CONCURRENTLY on it, "
        "so each partition gets its own index first."
    )
    assert "partition" not in message("shop_customer")
