"""Unit tests reach no network: a test of a room that opens a socket is a test in the wrong folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

from tests.own_places import own_places, strayed

HERE = Path(__file__).parent
# Folders whose tests talk to real servers. Not that pytest-socket would see libpq; but it does break asyncio there.
FAULTS = "test_fault_leaves_nothing_behind["
REAL = {"app", "bench", "foreign", "hazards", "integration"}
# Set where every part that a test may miss is there: a test that was not held, or may fail, is then a failure.
MAY_NOT_SKIP = "GREENROOM_TESTS_MAY_NOT_SKIP"
NOT_HELD = ("skipped", "xfailed", "xpassed")


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse sockets but Unix ones, outside the folders that need them; `@pytest.mark.enable_socket` opens one test."""
    if request.path.relative_to(HERE).parts[0] in REAL or request.node.get_closest_marker("enable_socket"):
        yield
        return
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


def pytest_configure(config: pytest.Config) -> None:
    """Nothing of a run goes to the user's own places; workers have those of the process that started them."""
    if not hasattr(config, "workerinput"):
        places = own_places()
        places.__enter__()
        config.add_cleanup(lambda: places.__exit__(None, None, None))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run has failed in which a snapshot strayed; with GREENROOM_TESTS_MAY_NOT_SKIP=1, or a test was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    failed = reporter and (_not_held(reporter) or strayed(session.config))
    if failed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests were skipped where none may, what strayed, and how many cases of tests/integration/faults there were.

    A stray is a snapshot of a test's data where the user's are.
    """
    strays = [f"FAILED a snapshot of {dump} lies in the user's own place" for dump in strayed(terminalreporter.config)]
    for line in [*_not_held(terminalreporter), *strays]:
        terminalreporter.write_line(line, red=True)
    stats = terminalreporter.stats
    passed, failed = ([r for r in stats.get(how, []) if FAULTS in r.nodeid] for how in ("passed", "failed"))
    if passed or failed:
        terminalreporter.write_line(f"fault matrix: {len(passed) + len(failed)} cases, {len(failed)} failed")


def _not_held(reporter: pytest.TerminalReporter) -> list[str]:
    """A line for each such test, where none may be."""
    if os.environ.get(MAY_NOT_SKIP) != "1":
        return []
    found = [(how, report) for how in NOT_HELD for report in reporter.stats.get(how, [])]
    return [f"FAILED {report.nodeid} was {how}, and {MAY_NOT_SKIP} is set{_why(report)}" for how, report in found]


def _why(report: pytest.TestReport | pytest.CollectReport) -> str:
    return f": {report.longrepr[2]}" if isinstance(report.longrepr, tuple) else ""
