"""Copies whose making was interrupted: nothing of them stays, or it is found again and dropped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from greenroom.postgres import journal
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.server import connect
from greenroom.postgres.way import Way
from tests.integration.shop import Shop
from tests.integration.sources import source, state
from tests.integration.standing_copies import dead_pid, inv, stands, states

pytestmark = pytest.mark.full

__all__ = ["source", "state"]
CREATING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"shop%%' AND state = 'active'"
COPYING = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from tests.integration.shop import request
raise_when_terminated()
with acquire(request(url=sys.argv[1], template=True), Silent()):
    pass
"""


def fill(source: Shop) -> None:
    """Data enough that CREATE DATABASE ... TEMPLATE can be met in the middle."""
    with connect(source.address) as connection:
        connection.execute("CREATE TABLE big AS SELECT n, repeat('x', 900) AS filler FROM generate_series(1, 60000) n")


def test_client_killed_in_create_database_is_found_by_its_intent(source: Shop) -> None:
    fill(source)
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be killed in the middle"
        child.kill()
        child.wait()
        ((_, intent),) = journal.intents()
        assert admin.execute(CREATING, []).fetchone() == (1,), "the session ended with its client"
        assert not standing_on(Way(source.admin))[-1].to_be_reaped, "it is still being made"
        deadline = time.monotonic() + 30
        while not stands(source, intent.database) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert child.returncode == -signal.SIGKILL
    assert states(inv("db-list").stdout) == {intent.database: "no lease, creator died"}
    assert inv("db-reap", "--dry-run").returncode == 0 and stands(source, intent.database)
    assert inv("db-reap", "--yes").returncode == 0
    assert not stands(source, intent.database)
    assert journal.intents() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_in_create_database_leaves_no_database(number: signal.Signals, source: Shop) -> None:
    """The session is cancelled and waited for: what it makes must be there before it can be dropped."""
    fill(source)
    before = source.state()
    child = subprocess.Popen([sys.executable, "-c", COPYING, source.url()], stderr=subprocess.DEVNULL)
    with connect(source.server.address) as admin:
        while admin.execute(CREATING, []).fetchone() == (0,):
            assert child.poll() is None, "it was too quick to be interrupted in the middle"
        child.send_signal(number)
        child.wait(30)
    assert source.state() == before
    assert journal.intents() == []


def test_intent_without_a_database_is_forgotten(source: Shop) -> None:
    path = journal.write(source.address.at("postgres"), "shop_never_made", "abc")
    assert states(inv("db-list").stdout) == {"shop_never_made": "being made"}
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {dead_pid()}'))
    assert states(inv("db-list").stdout) == {"shop_never_made": "never made"}
    assert inv("db-reap", "--yes").returncode == 0
    assert journal.intents() == []
