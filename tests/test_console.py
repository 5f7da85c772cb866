"""Progress: a line a phase where nobody watches, a live display on a terminal."""

from __future__ import annotations

import io
import re
import threading

import pytest

from greenroom import console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error as a terminal; inside the test, since pytest puts its own capture in place before each call."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    return terminal


def test_progress_off_a_terminal_is_a_line_a_phase(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as progress:
        progress.step("restoring orders.dump")
        progress.detail("4 of 110 tables")
        progress.step("migrating")
    printed = capsys.readouterr()
    assert re.sub(r"\d+\.\d", "0.0", printed.err) == "   0.0 s  restoring orders.dump\n   0.0 s  migrating\n"
    assert printed.out == ""


def test_progress_off_a_terminal_says_now_and_then_where_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with console.progress() as progress:
        progress.step("dumping shop")
        for now in (129.9, 130.0, 140.0, 159.9, 161.5):
            progress.detail(f"{now:g} MB\n12 MB/s")
        progress.step("restoring shop")
        now = 191.4
        progress.detail("too early")
    assert capsys.readouterr().err == (
        "   0.0 s  dumping shop\n"
        "  30.0 s    130 MB · 12 MB/s\n"
        "  61.5 s    161.5 MB · 12 MB/s\n"
        "  61.5 s  restoring shop\n"
    )


def test_progress_on_a_dumb_terminal_is_a_line_a_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    watched(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(console.progress(), console.Lines)


def test_progress_on_a_terminal_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    threads = threading.active_count()
    with console.progress() as progress:
        progress.step("migrating")
        progress._drawn = float("-inf")  # type: ignore[attr-defined]
        progress.detail("ledger.0010 · writers of ledger_statement waiting 1.2 s · CREATE\x1b[5m INDEX")
        assert threading.active_count() == threads
    shown = screen.getvalue()
    assert "            writers of ledger_statement waiting 1.2 s" in shown
    assert "            CREATE [5m INDEX" in shown
    assert "✓" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is given back


def test_live_progress_crosses_the_phase_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    progress = console.progress()
    progress.step("migrating")
    with pytest.raises(KeyboardInterrupt), progress:
        raise KeyboardInterrupt
    assert "✗" in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[?25h\r\x1b[1A\x1b[2K")


def test_live_progress_draws_details_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = watched(monkeypatch)
    with console.progress() as progress:
        progress.step("migrating")
        before = len(screen.getvalue())
        for number in range(1000):
            progress.detail(f"statement {number}")
        assert len(screen.getvalue()) - before < 1000
