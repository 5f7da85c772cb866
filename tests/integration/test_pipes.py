"""A server of ours that reads rows from a pipe with a name."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from greenroom.postgres.children import psql
from greenroom.postgres.embedded import embedded
from greenroom.postgres.server import connect

WAITS = """
SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY t%' AND state = 'active' AND wait_event IS NULL
"""
LOOKS = 20  # in which it waits for nothing that PostgreSQL knows of


@pytest.mark.parametrize("opened", [False, True], ids=["that nobody opens", "in which nothing comes"])
def test_server_stops_at_once_though_a_session_waits_at_a_pipe(*, opened: bool) -> None:
    """It hears no cancellation there, and must go with the copy nevertheless."""
    with embedded() as server:
        path = server.data / "greenroom.pipe"
        os.mkfifo(path, 0o600)
        os.chown(path, server.data.stat().st_uid, server.data.stat().st_gid)
        held = os.open(path, os.O_RDWR) if opened else None
        with connect(server.local) as connection:
            connection.execute("CREATE TABLE t (id int)")
            words = psql(server.binaries, server.local, f"--command=COPY t FROM '{path.name}'")
            with subprocess.Popen(words, stderr=subprocess.DEVNULL):
                seen: list[int] = []
                while len(seen) < LOOKS:
                    seen += [process for (process,) in connection.execute(WAITS).fetchall()]
                    time.sleep(0.01)
                server.postmaster.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(seen[0], 0)
        if held is not None:
            os.close(held)
