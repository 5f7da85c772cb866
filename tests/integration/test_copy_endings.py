"""Copies are dropped whatever happens, stay when they are kept, and what could not be dropped is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.postgres import journal, lease
from greenroom.postgres.server import connect
from tests.integration.copy_sources import source18
from tests.integration.shop import Shop, request
from tests.integration.sources import state

__all__ = ["source18", "state"]
# acquires a copy of the URL in its first argument, says so, and waits
HOLDER = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below whatever a shell has put into the background
from greenroom.interrupts import raise_when_terminated
from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from tests.integration.shop import request
raise_when_terminated()
with acquire(request(url=sys.argv[1]), Silent()) as copy:
    print(copy.name, flush=True)
    time.sleep(60)
"""


def test_keep_leaves_the_copy_with_its_lease(source18: Shop) -> None:
    with acquire(replace(request(url=source18.url()), keep=True), Silent()) as copy:
        pass
    assert not copy.dropped
    with connect(source18.server.address) as admin:
        (found,) = [standing for standing in lease.leased(admin) if standing.name == copy.name]
        assert found.lease.kept and not found.lease.abandoned
        lease.drop(admin, copy.name)
    assert [intent.database for _, intent in journal.intents()] == [copy.name]


def test_failed_rehearsal_drops_the_copy(source18: Shop) -> None:
    before = source18.state()
    with pytest.raises(ZeroDivisionError), acquire(request(url=source18.url()), Silent()):
        _ = 1 / 0
    assert source18.state() == before and journal.intents() == []


def test_two_at_once_do_not_meet(source18: Shop) -> None:
    before = source18.state()
    names: list[str] = []
    together = threading.Barrier(2, timeout=60)

    def one() -> None:
        with acquire(request(url=source18.url()), Silent()) as copy:
            together.wait()
            names.append(copy.name)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(names)) == 2
    assert source18.state() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drops_the_copy(number: signal.Signals, source18: Shop) -> None:
    before = source18.state()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, source18.url()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout and child.stdout.readline().startswith(source18.address.database)
    child.send_signal(number)
    child.communicate(timeout=30)
    assert source18.state() == before and journal.intents() == []


def test_dropped_under_our_feet_is_no_failure(source18: Shop) -> None:
    with acquire(request(url=source18.url()), Silent()) as copy, connect(source18.server.address) as admin:
        lease.drop(admin, copy.name)
    assert copy.dropped


def test_copy_that_cannot_be_dropped_is_said_with_the_command(
    source18: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    with acquire(request(url=source18.url()), Silent()) as copy, connect(source18.server.address) as admin:
        admin.execute(f'ALTER DATABASE "{copy.name}" OWNER TO "{source18.odd}"'.encode())
    left = (
        f"the copy {copy.name} on {source18.address.server} could not be dropped and was left behind; "
        f"remove it with: ./inv db-drop {copy.name} --url {source18.address.at('postgres')}"
    )
    assert capsys.readouterr().err == left + "\n"
    assert not copy.dropped and copy.notes[-1] == left
    with connect(source18.server.address) as admin:
        lease.drop(admin, copy.name)
