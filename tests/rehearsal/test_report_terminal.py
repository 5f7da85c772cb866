"""The result in the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from greenroom.rehearsal.document import StaticHints
from greenroom.rehearsal.report import terminal
from tests.rehearsal import examples

REPORT = Path("build/rehearsals/20261123-204500-7f3a")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_result_of_a_pass() -> None:
    assert terminal.render(examples.passed(), REPORT).splitlines() == [
        "",
        "PASS  may go out",
        "",
        "users would notice  Nothing: no reader or writer would wait longer than 6.2 ms.",
        "what to do          Nothing: let it go out.",
        "",
        "                                                          readers  writers",
        "migration                  time  stmts  strongest lock       wait     wait",
        "──────────────────────────────────────────────────────────────────────────",
        "ledger.0009_release_note  21 ms      2  ACCESS EXCLUSIVE   6.2 ms   6.2 ms",
        "",
        "report              build/rehearsals/20261123-204500-7f3a/report.html",
    ]


def test_result_when_nothing_is_pending() -> None:
    assert terminal.render(examples.nothing_pending(), REPORT).splitlines() == [
        "",
        "PASS  may go out: no migration is pending",
        "",
        "users would notice  Nothing: no migration is pending.",
        "what to do          Nothing.",
        "",
        "report              build/rehearsals/20261123-204500-7f3a/report.html",
    ]


def test_result_of_a_failure_begins_with_the_verdict() -> None:
    lines = terminal.render(examples.failed(), REPORT).splitlines()
    assert lines[1:5] == [
        "FAIL  may not go out as it is: readers of ledger_statement would stand still for",
        "      5.1 s (budget 1.0 s)",
        "      writers of ledger_statement would stand still for 5.1 s (budget 2.0 s)",
        "      nothing can go back from ledger.0009_backfill_outcome",
    ]
    assert "failure H24   type-rewrite  ledger_statement" in lines
    assert "              → Add a second column, write both, fill it in batches, then swap." in lines


def test_result_ends_with_static_hints_that_nothing_measured_says() -> None:
    lines = terminal.render(examples.hinted(), REPORT).splitlines()
    assert lines[-6:-2] == [
        "static hints        3 by squawk 2.70.0, 2 of them measured as well; squawk could",
        "                    not read 1 statement",
        "                    ban-drop-constraint  ledger_statement in",
        "                    ledger.0008_statement_duration_bigint",
    ]


def test_result_says_why_there_are_no_static_hints() -> None:
    rehearsal = examples.passed()
    rehearsal.static = StaticHints(note="not made: squawk is not there")
    assert "static hints        not made: squawk is not there" in terminal.render(rehearsal, REPORT)


def test_result_tells_where_it_broke() -> None:
    lines = terminal.render(examples.broken(), REPORT).splitlines()
    assert "migration failed    ledger.0008_statement_duration_bigint" in lines
    assert "exception           django.db.utils.IntegrityError (23505)" in lines
    assert "at                  django/db/backends/utils.py:105 in _execute" in lines


@pytest.mark.parametrize("name", examples.ALL)
def test_result_fits_80_columns_and_a_few_screens(name: str) -> None:
    text = terminal.render(examples.ALL[name](), REPORT)
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) < 200
    assert "\x1b" not in text


def test_path_of_the_report_is_not_broken() -> None:
    far = Path("/far" * 40)
    assert str(far / "report.html") in terminal.render(examples.passed(), far)
    here = Path.cwd() / "build"
    assert "report              build/report.html" in terminal.render(examples.passed(), here)


def test_show_has_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, file = Terminal(), io.StringIO()
    terminal.show(examples.failed(), REPORT, screen)
    terminal.show(examples.failed(), REPORT, file)
    assert "\x1b[1;31mFAIL" in screen.getvalue()
    assert "\x1b" not in file.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    terminal.show(examples.failed(), REPORT, plain)
    assert "31m" not in plain.getvalue()
    assert "FAIL" in plain.getvalue()


def test_show_survives_a_narrow_encoding() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.show(examples.monster(), REPORT, stream)
    stream.flush()
    assert b"Stra?e_000" in raw.getvalue()


def test_twin_stands_beside_its_migration() -> None:
    lines = terminal.render(examples.failed(), REPORT).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("safe twin"))
    assert [line.strip() for line in lines[at : at + 7]] == [
        "safe twin           ledger.0007_statement_run_index passes",
        "writers of ledger_statement 2.6 s → 4.1 ms",
        "twin/ledger/: 0007_statement_run_index.py (over the old",
        "file)",
        "",
        "safe twin           ledger.0008_statement_duration_bigint not written",
        "H24: what avoids it has to be thought out.",
    ]
