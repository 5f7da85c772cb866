"""The sentences and figures that all views share."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Budget
from greenroom.rehearsal.report import words
from greenroom.rehearsal.report.limits import Limits, fitted
from tests.rehearsal import examples


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"),
        (0.00001, "under 0.1 ms"),
        (0.00042, "0.4 ms"),
        (0.0062, "6.2 ms"),
        (0.85, "850 ms"),
        (0.9996, "1.0 s"),
        (2.41, "2.4 s"),
        (99.96, "1 min 40 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (16_384, "16.4 kB"),
        (999_990, "1.0 MB"),
        (235_700_000, "236 MB"),
        (-5_000, "−5.0 kB"),
    ],
)
def test_size(octets: int | None, shown: str) -> None:
    assert words.size(octets) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (0, "nothing of the budget of 1.0 s"),
        (4, "under 1 % of the budget of 1.0 s"),
        (140, "14 % of the budget of 1.0 s"),
        (5060, "5.1 times the budget of 1.0 s"),
    ],
)
def test_share_of_budget(ms: float, shown: str) -> None:
    assert words.share_of(ms, 1000) == shown


def test_mode_as_in_the_manual() -> None:
    assert words.mode("ShareUpdateExclusiveLock") == "SHARE UPDATE EXCLUSIVE"
    assert words.mode("SomethingNew") == "SomethingNew"


def test_strongest_lock_is_of_the_strongest_mode() -> None:
    run = examples.failed().migrations[1]
    strongest = words.strongest_of(run)
    assert strongest is not None
    assert (strongest.mode, strongest.table) == (examples.AX, "ledger_statement")


FIRST_WORDS = {
    "passed": (
        "may go out",
        "Nothing: no reader or writer would wait longer than 6.2 ms.",
        "Nothing: let it go out.",
    ),
    "warned": (
        "may go out, with care: readers of ledger_statement would stand still for 630 ms (budget 1.0 s)",
        "Readers of ledger_statement would wait up to 630 ms, writers of ledger_statement up to 630 ms.",
        "Give it a way back, or say why there is none (H10; 1 more finding below).",
    ),
    "failed": (
        "may not go out as it is: readers of ledger_statement would stand still for 5.1 s (budget 1.0 s)",
        "Readers of ledger_statement would wait up to 5.1 s, "
        "writers of ledger_statement and 2 more tables up to 5.1 s.",
        "Add a second column, write both, fill it in batches, then swap (H24; 3 more findings below).",
    ),
    "broken": (
        "may not go out as it is: ledger.0008_statement_duration_bigint failed: UniqueViolation (23505)",
        "The release stops in ledger.0008_statement_duration_bigint, with 1 of 3 migrations applied. Readers of "
        "ledger_statement would wait up to 4.0 s, writers of ledger_statement up to 4.0 s.",
        "The data has rows that this migration does not expect: look at them on a copy kept with --keep.",
    ),
    "hung": (
        "may not go out as it is: ledger.0008_statement_duration_bigint was stopped after 4 s",
        "The release stops in ledger.0008_statement_duration_bigint, with 1 of 3 migrations applied. Readers of "
        "ledger_statement would wait up to 4.0 s, writers of ledger_statement up to 4.0 s.",
        "It was stopped after 4 s; --timeout SECONDS allows more.",
    ),
    "nothing_pending": ("may go out: no migration is pending", "Nothing: no migration is pending.", "Nothing."),
}


@pytest.mark.parametrize("name", FIRST_WORDS)
def test_first_words(name: str) -> None:
    rehearsal = examples.ALL[name]()
    assert (words.headline(rehearsal), words.noticed(rehearsal), words.todo(rehearsal)) == FIRST_WORDS[name]


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("Readers of a stand still for 2 s.", "readers of a stand still for 2 s"),
        ("Ledger.0008 failed.", "Ledger.0008 failed"),
        ("UniqueViolation in b", "UniqueViolation in b"),
        ("A table waits", "A table waits"),
        ("", ""),
    ],
)
def test_headline_continues_with_the_reason(reason: str, end: str) -> None:
    rehearsal = examples.warned()
    rehearsal.reasons = [reason]
    assert words.headline(rehearsal) == f"may go out, with care: {end}"


def test_first_words_when_only_writers_wait() -> None:
    rehearsal = examples.warned()
    rehearsal.stalls[0].read_ms = 0.0
    assert words.noticed(rehearsal) == "Writers of ledger_statement would wait up to 630 ms."


def test_nothing_is_not_said_where_there_is_something() -> None:
    rehearsal = examples.passed()
    longest = "o reader or writer would wait longer than 6.2 ms."
    rehearsal.budget = Budget(read_ms=5, write_ms=5, timeout_seconds=60)
    assert words.noticed(rehearsal) == f"N{longest}"
    rehearsal.budget = Budget(read_ms=50, write_ms=50, timeout_seconds=60)
    assert words.noticed(rehearsal) == f"Nothing: n{longest}"
    broken = examples.warned().findings[0].model_copy(update={"drill": "old-release", "severity": "failure"})
    rehearsal.findings = [broken]
    assert words.noticed(rehearsal).endswith(f". N{longest}")


def test_todo_of_a_pass_is_no_order_to_go_back() -> None:
    rehearsal = examples.passed()
    rehearsal.findings = [examples.warned().findings[0].model_copy(update={"hazard": "C11", "drill": "back"})]
    assert rehearsal.findings[0].severity != "note"
    assert words.todo(rehearsal) == "Let it go out; should it have to go back, read C11 below first."


def test_todo_without_findings() -> None:
    rehearsal = examples.warned()
    rehearsal.findings = []
    assert words.todo(rehearsal) == "Read the reasons below, then choose a quiet hour."
    rehearsal.verdict = "fail"
    assert words.todo(rehearsal) == "Split or shorten what blocks, and rehearse again."


def test_broken_operation_is_described() -> None:
    rehearsal = examples.broken()
    assert words.broken_operation(rehearsal) == "0: Alter field duration_us on statement"
    assert words.broken_operation(examples.passed()) is None


def test_squeezed_keeps_both_ends() -> None:
    assert words.squeezed("a" * 20 + "b" * 20, 13) == "aaaaaaaa…bbbb"
    assert words.squeezed("short", 13) == "short"


def test_clean_text_cannot_steer() -> None:
    assert words.clean("a\x1b[31m\u202eb\nc") == "a [31m b c"


def test_fitted_tightens_until_it_fits() -> None:
    text = fitted(lambda limits: "x" * limits.entries * limits.characters, Limits(90, 10, 900), 5_000)
    assert 1_000 < len(text) <= 5_000


def test_fitted_ends_when_nothing_is_left_to_tighten() -> None:
    assert fitted(lambda limits: "x" * 100, Limits(90, 10, 900), 10) == "x" * 100
