"""Unit tests reach no network: a test of a room that opens a socket is a test in the wrong folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

HERE = Path(__file__).parent
# Folders whose tests talk to real servers. Not that pytest-socket would see libpq; but it does break asyncio there.
FAULTS = "test_fault_leaves_nothing_behind["
REAL = {"app", "bench", "foreign", "hazards", "integration"}


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse sockets but Unix ones, outside the folders that need them; `@pytest.mark.enable_socket` opens one test."""
    if request.path.relative_to(HERE).parts[0] in REAL or request.node.get_closest_marker("enable_socket"):
        yield
        return
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many cases of tests/integration/faults were held."""
    stats = terminalreporter.stats
    passed, failed = ([r for r in stats.get(how, []) if FAULTS in r.nodeid] for how in ("passed", "failed"))
    if passed or failed:
        terminalreporter.write_line(f"fault matrix: {len(passed) + len(failed)} cases, {len(failed)} failed")
